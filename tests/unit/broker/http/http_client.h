// One blocking HTTP request over loopback, for tests.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <string>

namespace garam {

struct HttpAnswer {
  unsigned status = 0;
  std::string content_type;
  std::string body;
};

class HttpClient {
 public:
  explicit HttpClient(uint16_t port) : socket_(context_) {
    socket_.connect({boost::asio::ip::address_v4::loopback(), port});
  }

  HttpAnswer Get(const std::string& target,
                 boost::beast::http::verb verb = boost::beast::http::verb::get) {
    namespace http = boost::beast::http;
    http::request<http::empty_body> request{verb, target, 11};
    request.set(http::field::host, "localhost");
    http::write(socket_, request);
    http::response_parser<http::string_body> parser;
    parser.skip(verb == http::verb::head);
    http::read(socket_, buffer_, parser);
    return {.status = parser.get().result_int(),
            .content_type = std::string(parser.get()[http::field::content_type]),
            .body = parser.get().body()};
  }

  // What comes back to `text`, until the server closes.
  std::string Raw(const std::string& text) {
    boost::system::error_code error;
    boost::asio::write(socket_, boost::asio::buffer(text), error);
    std::string answer;
    boost::asio::read(socket_, boost::asio::dynamic_buffer(answer), error);
    return answer;
  }

 private:
  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
};

}  // namespace garam
