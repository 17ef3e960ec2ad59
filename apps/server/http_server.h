#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace carya {

struct HttpRequest {
  std::string method, target, body, peer;  // peer: the address that it comes from
  std::vector<std::pair<std::string, std::string>> headers = {};
  // The value of a header, whatever the case of its name; empty if it is not there.
  std::string_view header(std::string_view name) const;
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = {};
  std::shared_ptr<const std::string> body = {};  // shared, as caches do; null: empty
  std::vector<std::pair<std::string, std::string>> headers = {};
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";  // an address or a name of this machine
  uint16_t port = 8765;            // 0: any that is free
  size_t n_threads = 0;            // that answer; 0: two a core
  size_t max_header = 16 << 10;    // bytes; else 431
  size_t max_body = 1 << 20;       // bytes; else 413
  size_t max_connections = 4096;   // further ones are closed at once
  double read_seconds = 30;        // for a whole request to come, and for the next to begin
  double write_seconds = 60;       // for a whole answer to be taken
  double drain_seconds = 5;        // for answers under way when the server stops
};

// HTTP/1.1 for a handler that answers whole requests.  A connection that is slow or idle costs a
// few kB and no thread.  What the handler throws becomes a plain 500.
//
//   HttpServer server({.port = 0}, [](const HttpRequest& request) { return answer(request); });
//   server.run();  // until SIGINT, SIGTERM or stop()
class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;  // from many threads
  using Log = std::function<void(const HttpRequest&, const HttpResponse&, double seconds)>;
  // Binds, and from here on takes the signals.  Throws kIo, saying which address, and whether it is
  // in use.
  HttpServer(const HttpServerOptions& options, Handler handler, Log log = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;
  // Serves until stopped; then takes no more requests, finishes those it has, and returns.  A
  // second signal ends these too.
  void run();
  void stop();  // from any thread

 private:
  struct State;
  class Session;
  std::unique_ptr<State> state_;
};

}  // namespace carya
