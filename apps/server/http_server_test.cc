#include "apps/server/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <thread>

#include "carya/core/error.h"

namespace carya {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// A connection whose bytes the test writes itself.
class Client {
 public:
  explicit Client(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    is_connected_ =
        ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  bool is_connected() const { return is_connected_; }
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  // All until the server closes.
  std::string rest() const {
    std::string text;
    char buffer[4096];
    for (ssize_t n; (n = ::recv(socket_, buffer, sizeof buffer, 0)) > 0;) {
      text.append(buffer, static_cast<size_t>(n));
    }
    return text;
  }
  // Until `end` has come.
  std::string until(std::string_view end) const {
    std::string text;
    char c;
    while (!text.ends_with(end) && ::recv(socket_, &c, 1, 0) == 1) text += c;
    return text;
  }

 private:
  int socket_;
  bool is_connected_ = false;
};

class HttpServerTest : public testing::Test {
 protected:
  void serve(HttpServerOptions options, HttpServer::Handler handler) {
    options.port = 0;
    server_.emplace(options, std::move(handler));
    thread_ = std::thread([this] { server_->run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    server_->stop();
    thread_.join();
  }
  void TearDown() override { stop(); }
  static HttpResponse echo(const HttpRequest& request) {
    return {
        200,
        "text/plain",
        std::make_shared<std::string>(request.method + " " + request.target + " " +
                                      std::string(request.header("x-test")) + " " + request.body),
        {{"X-Extra", "yes"}}};
  }
  std::optional<HttpServer> server_;
  std::thread thread_;
};

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  serve({}, echo);
  const Client client(server_->port());
  client.send("GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-TEST: here\r\n\r\n");
  EXPECT_THAT(client.until("/a?b=c here "),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("X-Extra: yes")));
  client.send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody");
  EXPECT_THAT(client.rest(), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("POST /p  body")));
}

TEST_F(HttpServerTest, AHeadHasNoBodyButItsLength) {
  serve({}, echo);
  const Client client(server_->port());
  client.send("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = client.rest();
  EXPECT_THAT(answer, HasSubstr("Content-Length: 9"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, NonsenseAndWhatIsTooLongIsRefused) {
  serve({.max_header = 1000, .max_body = 1000}, echo);
  const auto answer = [&](const std::string& bytes) {
    const Client client(server_->port());
    client.send(bytes);
    return client.rest();
  };
  EXPECT_THAT(answer("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(answer("GET / HTTP/9.9\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(answer(std::string("\x16\x03\x01\x02\x00\x01", 6) + "\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(answer("GET /" + std::string(5000, 'a') + " HTTP/1.1\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(answer("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(answer("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(answer("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, SlowRequestsEndAndHinderNobody) {
  serve({.n_threads = 2, .read_seconds = 0.5}, echo);
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(std::make_unique<Client>(server_->port()));
    slow.back()->send("GET / HTTP/1.1\r\nHost");
  }
  const Client quick(server_->port());
  quick.send("GET /quick HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(quick.rest(), HasSubstr("/quick"));
  for (const auto& client : slow) EXPECT_EQ(client->rest(), "");
}

TEST_F(HttpServerTest, AThousandConnectionsAreAnswered) {
  serve({}, echo);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 1000; ++i) {
    clients.push_back(std::make_unique<Client>(server_->port()));
    if (!clients.back()->is_connected()) GTEST_SKIP() << "the system allows fewer connections";
  }
  for (const auto& client : clients) client->send("GET /x HTTP/1.1\r\nConnection: close\r\n\r\n");
  int answered = 0;
  for (const auto& client : clients) answered += client->rest().starts_with("HTTP/1.1 200");
  EXPECT_EQ(answered, 1000);
}

TEST_F(HttpServerTest, TooManyConnectionsAreClosed) {
  serve({.max_connections = 2}, echo);
  const Client first(server_->port()), second(server_->port());
  for (const Client* client : {&first, &second}) {
    client->send("GET /x HTTP/1.1\r\n\r\n");
    EXPECT_THAT(client->until("/x  "), StartsWith("HTTP/1.1 200"));
  }
  const Client third(server_->port());
  EXPECT_EQ(third.rest(), "");
  first.send("GET /y HTTP/1.1\r\n\r\n");
  EXPECT_THAT(first.until("/y  "), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AnAnswerUnderWayIsFinishedWhenTheServerStops) {
  std::atomic<bool> has_begun = false, may_end = false;
  serve({.n_threads = 2}, [&](const HttpRequest& request) {
    has_begun = true;
    has_begun.notify_all();
    may_end.wait(false);
    return echo(request);
  });
  const Client busy(server_->port()), idle(server_->port());
  busy.send("GET /late HTTP/1.1\r\n\r\n");
  has_begun.wait(false);
  server_->stop();
  EXPECT_EQ(idle.rest(), "");
  may_end = true;
  may_end.notify_all();
  EXPECT_THAT(busy.rest(), AllOf(HasSubstr("/late"), HasSubstr("Connection: close")));
  thread_.join();
  EXPECT_FALSE(Client(server_->port()).is_connected());
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsA500) {
  serve({}, [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("secret"); });
  const Client client(server_->port());
  client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.rest(), AllOf(StartsWith("HTTP/1.1 500"), testing::Not(HasSubstr("secret"))));
}

TEST_F(HttpServerTest, APortThatIsTakenIsSaid) {
  serve({}, echo);
  EXPECT_THAT([&] { HttpServer({.port = server_->port()}, echo); },
              testing::ThrowsMessage<Error>(AllOf(HasSubstr("in use"), HasSubstr("--port 0"))));
  EXPECT_THROW(HttpServer({.host = "no.such.host.invalid"}, echo), Error);
}

}  // namespace
}  // namespace carya
