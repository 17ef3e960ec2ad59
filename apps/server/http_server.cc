#include "apps/server/http_server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <csignal>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "carya/core/error.h"

namespace carya {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using Failure = boost::system::error_code;

constexpr auto kRetryAccept = std::chrono::milliseconds(100);  // out of descriptors: wait for some

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

HttpResponse plain(unsigned status, std::string_view text) {
  return {status, "text/plain; charset=utf-8", std::make_shared<std::string>(text), {}};
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (beast::iequals(key, beast::string_view(name.data(), name.size()))) return value;
  }
  return {};
}

struct HttpServer::State {
  State(const HttpServerOptions& o, Handler h, Log l)
      : options(o), handler(std::move(h)), log(std::move(l)) {}
  ~State() { stopping = false; }  // sessions that end with the context stop nothing

  void listen();
  void accept();
  void wait_for_signal();
  void begin_stop();
  void end_if_drained();

  HttpServerOptions options;
  Handler handler;
  Log log;
  std::atomic<bool> stopping = false;
  std::mutex mutex;
  std::set<Session*> sessions;  // guarded by mutex
  asio::io_context context;     // owns, through its handlers, the sessions: ends before the above
  asio::strand<asio::io_context::executor_type> strand{context.get_executor()};
  tcp::acceptor acceptor{strand};
  asio::steady_timer timer{strand};
  asio::signal_set signals{strand};
};

// One connection: reads a request, answers it, reads the next.
class HttpServer::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, State& server) : stream_(std::move(socket)), server_(&server) {
    Failure none;
    const tcp::endpoint peer = stream_.socket().remote_endpoint(none);
    if (!none) peer_ = peer.address().to_string();
    stream_.socket().set_option(tcp::no_delay(true), none);
    const std::lock_guard lock(server_->mutex);
    server_->sessions.insert(this);
  }
  ~Session() {
    {
      const std::lock_guard lock(server_->mutex);
      server_->sessions.erase(this);
    }
    server_->end_if_drained();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start() {
    asio::post(stream_.get_executor(), [self = shared_from_this()] { self->read(); });
  }
  // Ends a connection that waits for a request; others end after their answer.
  void end_if_idle() {
    asio::post(stream_.get_executor(), [self = shared_from_this()] {
      if (!self->is_answering_) self->stream_.close();
    });
  }

 private:
  void read() {
    if (server_->stopping) return close();
    is_answering_ = false;
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(server_->options.max_header));
    parser_->body_limit(server_->options.max_body);
    stream_.expires_after(milliseconds(server_->options.read_seconds));
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](Failure failure, size_t) { self->on_read(failure); });
  }

  void on_read(Failure failure) {
    is_answering_ = true;
    begin_ = Clock::now();
    request_ = {};
    if (failure == http::error::header_limit) {
      return write(plain(431, "the header is too long\n"), /*keep_alive=*/false);
    }
    if (failure == http::error::body_limit) {
      return write(plain(413, "the body is too long\n"), /*keep_alive=*/false);
    }
    if (failure &&
        failure.category() == http::make_error_code(http::error::bad_method).category() &&
        failure != http::error::end_of_stream && failure != http::error::partial_message) {
      return write(plain(400, "this is no HTTP request\n"), /*keep_alive=*/false);
    }
    if (failure) return close();
    auto& message = parser_->get();
    request_.method = std::string(message.method_string());
    request_.target = std::string(message.target());
    request_.peer = peer_;
    for (const auto& field : message) {
      request_.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    const bool keep_alive = message.keep_alive();
    request_.body = std::move(message.body());
    HttpResponse response;
    try {
      response = server_->handler(request_);
    } catch (
        const std::exception&) {  // a handler's own errors are answers; this is a bug or memory
      response = plain(500, "the server failed\n");
    }
    write(std::move(response), keep_alive && !server_->stopping);
  }

  void write(HttpResponse response, bool keep_alive) {
    response_ = std::move(response);
    static const std::string kEmpty;
    const std::string& body = response_.body ? *response_.body : kEmpty;
    message_.emplace();
    message_->result(response_.status);
    message_->version(11);
    if (!response_.content_type.empty()) {
      message_->set(http::field::content_type, response_.content_type);
    }
    for (const auto& [name, value] : response_.headers) message_->set(name, value);
    message_->content_length(body.size());
    message_->keep_alive(keep_alive);
    message_->body() = beast::span<const char>(body.data(), body.size());
    serializer_.emplace(*message_);
    stream_.expires_after(milliseconds(server_->options.write_seconds));
    const auto done = [self = shared_from_this(), keep_alive](Failure failure, size_t) {
      self->on_written(failure, keep_alive);
    };
    if (request_.method == "HEAD") {
      http::async_write_header(stream_, *serializer_, done);
    } else {
      http::async_write(stream_, *serializer_, done);
    }
  }

  void on_written(Failure failure, bool keep_alive) {
    if (server_->log && !request_.method.empty()) {
      server_->log(request_, response_,
                   std::chrono::duration<double>(Clock::now() - begin_).count());
    }
    response_ = {};
    if (failure || !keep_alive) return close();
    read();
  }

  void close() {
    Failure ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  State* server_;
  std::string peer_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::span_body<const char>>> message_;
  std::optional<http::response_serializer<http::span_body<const char>>> serializer_;
  HttpRequest request_;
  HttpResponse response_;
  Clock::time_point begin_;
  bool is_answering_ = false;
};

void HttpServer::State::listen() {
  const auto fail = [&](const Failure& failure) {
    if (!failure) return;
    const bool is_taken = failure == asio::error::address_in_use;
    throw Error(ErrorKind::kIo, fmt::format("cannot listen at {} port {}: {}{}", options.host,
                                            options.port, failure.message(),
                                            is_taken ? "; --port 0 takes one that is free" : ""));
  };
  Failure failure;
  tcp::resolver resolver(context);
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, failure);
  fail(failure);
  const tcp::endpoint endpoint = *found.begin();
  acceptor.open(endpoint.protocol(), failure);
  fail(failure);
  acceptor.set_option(tcp::acceptor::reuse_address(true), failure);
  acceptor.bind(endpoint, failure);
  fail(failure);
  acceptor.listen(asio::socket_base::max_listen_connections, failure);
  fail(failure);
}

void HttpServer::State::accept() {
  acceptor.async_accept(asio::make_strand(context), [this](Failure failure, tcp::socket socket) {
    if (stopping) return;
    if (failure) {
      timer.expires_after(kRetryAccept);
      timer.async_wait([this](Failure cancelled) {
        if (!cancelled) accept();
      });
      return;
    }
    bool has_room = false;
    {
      const std::lock_guard lock(mutex);
      has_room = sessions.size() < options.max_connections;
    }
    if (has_room) std::make_shared<Session>(std::move(socket), *this)->start();
    accept();
  });
}

void HttpServer::State::wait_for_signal() {
  signals.async_wait([this](Failure failure, int) {
    if (failure) return;
    if (stopping) return context.stop();
    begin_stop();
    wait_for_signal();
  });
}

void HttpServer::State::begin_stop() {
  if (stopping.exchange(true)) return;
  Failure ignored;
  acceptor.close(ignored);
  timer.expires_after(milliseconds(options.drain_seconds));
  timer.async_wait([this](Failure cancelled) {
    if (!cancelled) context.stop();
  });
  std::vector<std::shared_ptr<Session>> alive;  // let go of after the lock, which their end takes
  {
    const std::lock_guard lock(mutex);
    for (Session* session : sessions) alive.push_back(session->weak_from_this().lock());
  }
  for (const auto& session : alive) {
    if (session) session->end_if_idle();  // null: it is at its end already
  }
  alive.clear();
  end_if_drained();
}

// Without sessions nothing is left to wait for.
void HttpServer::State::end_if_drained() {
  if (!stopping) return;
  const std::lock_guard lock(mutex);
  if (sessions.empty()) context.stop();
}

HttpServer::HttpServer(const HttpServerOptions& options, Handler handler, Log log)
    : state_(std::make_unique<State>(options, std::move(handler), std::move(log))) {
  state_->listen();
  state_->signals.add(SIGINT);
  state_->signals.add(SIGTERM);
  state_->wait_for_signal();
}
HttpServer::~HttpServer() = default;

uint16_t HttpServer::port() const {
  Failure ignored;
  return state_->acceptor.local_endpoint(ignored).port();
}

void HttpServer::run() {
  asio::post(state_->strand, [this] { state_->accept(); });
  const size_t wanted = state_->options.n_threads;
  const size_t n_threads =
      wanted > 0 ? wanted : 2 * std::max<size_t>(1, std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  for (size_t i = 1; i < n_threads; ++i) {
    threads.emplace_back([this] { state_->context.run(); });
  }
  state_->context.run();
  for (std::thread& thread : threads) thread.join();
}

void HttpServer::stop() {
  asio::post(state_->strand, [this] { state_->begin_stop(); });
}

}  // namespace carya
