#pragma once

#include <string>
#include <vector>

#include "apps/server/api.h"
#include "apps/server/http_server.h"

namespace carya {

struct SiteOptions {
  std::string token = {};                       // empty: none is asked for
  std::vector<std::string> allowed_hosts = {};  // beside localhost, 127.0.0.1 and ::1
  bool any_host = false;                        // whatever the Host header says
};

// Everything that the server gives: the explorer's files and the API, and who may have it.
//
// A page of another site could reach a server on this machine through the user's browser. So a
// request must name one of our hosts (else a name that its owner makes resolve to 127.0.0.1 would
// do: DNS rebinding), and must not come from another site's page (Origin, Sec-Fetch-Site). With a
// token, the API needs `Authorization: Bearer TOKEN`; the explorer's files hold no data.
class Site {
 public:
  Site(const Api& api, SiteOptions options);
  HttpResponse answer(const HttpRequest& request) const;

 private:
  HttpResponse content(const HttpRequest& request) const;
  bool is_allowed_host(std::string_view host) const;
  bool has_token(const HttpRequest& request) const;
  const Api* api_;
  SiteOptions options_;
};

}  // namespace carya
