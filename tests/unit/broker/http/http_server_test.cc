#include "broker/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "tests/unit/broker/http/http_client.h"

namespace garam {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    loop_.Start();
    server_.Route("/hello", [] { return HttpResponse{.body = "hello"}; });
    EXPECT_TRUE(server_.Start().ok());
  }
  ~HttpServerTest() override {
    server_.Stop();
    loop_.Stop();
  }

  ShardLoop loop_{"http"};
  HttpServer server_{loop_, HostPort{"127.0.0.1", 0}};
};

TEST_F(HttpServerTest, AKnownPathIsAnswered) {
  const HttpAnswer answer = HttpClient(server_.port()).Get("/hello");
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(answer.content_type, "text/plain; charset=utf-8");
}

TEST_F(HttpServerTest, AQueryDoesNotChangeThePath) {
  EXPECT_EQ(HttpClient(server_.port()).Get("/hello?x=1").status, 200u);
}

TEST_F(HttpServerTest, AnUnknownPathIsNotFound) {
  EXPECT_EQ(HttpClient(server_.port()).Get("/other").status, 404u);
}

TEST_F(HttpServerTest, AHeadRequestGetsNoBody) {
  const HttpAnswer answer =
      HttpClient(server_.port()).Get("/hello", boost::beast::http::verb::head);
  EXPECT_EQ(answer.status, 200u);
  EXPECT_THAT(answer.body, IsEmpty());
}

TEST_F(HttpServerTest, OtherMethodsAreRefused) {
  EXPECT_EQ(HttpClient(server_.port()).Get("/hello", boost::beast::http::verb::delete_).status,
            405u);
}

TEST_F(HttpServerTest, SeveralRequestsShareAConnection) {
  HttpClient client(server_.port());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.Get("/hello").body, "hello");
}

TEST_F(HttpServerTest, GarbageClosesTheConnectionAndNothingElse) {
  EXPECT_THAT(HttpClient(server_.port()).Raw("\x01\x02 garbage\r\n\r\n"), IsEmpty());
  EXPECT_EQ(HttpClient(server_.port()).Get("/hello").status, 200u);
}

TEST_F(HttpServerTest, AHeaderWithoutEndIsRefused) {
  EXPECT_THAT(HttpClient(server_.port())
                  .Raw("GET /hello HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"),
              IsEmpty());
}

TEST_F(HttpServerTest, StoppingClosesOpenConnections) {
  HttpClient client(server_.port());
  client.Get("/hello");
  server_.Stop();
  EXPECT_THAT(client.Raw("GET /hello HTTP/1.1\r\n\r\n"), IsEmpty());
}

TEST_F(HttpServerTest, AnAddressInUseIsSaidInOneLine) {
  HttpServer second(loop_, HostPort{"127.0.0.1", server_.port()});
  const absl::Status status = second.Start();
  EXPECT_EQ(ErrcOf(status), Errc::kInvalidConfig);
  EXPECT_THAT(std::string(status.message()), HasSubstr("garam.http.listener 127.0.0.1:"));
}

}  // namespace
}  // namespace garam
