//! The probe behind real web servers, each started by its test on a free port, with its own configuration in a
//! temporary folder. A server that is not installed is skipped, and said to be.
//!
//! `WGI_ROW=name` runs one row of the table alone, also where it is known not to pass.

mod ajp;
mod apache;
mod browser;
mod caddy;
mod checks;
mod clients;
mod environ;
mod gateway;
mod haproxy;
mod host;
mod lighttpd;
mod nginx;
mod pair;
mod process;
mod proxied;
mod rows;
mod small;
mod tls;
mod uwsgi;

#[test]
fn nginx_proxy_pass() {
    nginx::PROXY_PASS.run();
}

#[test]
fn nginx_proxy_pass_1_0() {
    nginx::PROXY_PASS_1_0.run();
}

#[test]
fn nginx_fastcgi_tcp() {
    nginx::FASTCGI_TCP.run();
}

#[test]
fn nginx_fastcgi_tcp_kept() {
    nginx::FASTCGI_TCP_KEPT.run();
}

#[test]
fn nginx_fastcgi_unix() {
    nginx::FASTCGI_UNIX.run();
}

#[test]
fn nginx_fastcgi_unix_kept() {
    nginx::FASTCGI_UNIX_KEPT.run();
}

#[test]
fn nginx_scgi_tcp() {
    nginx::SCGI_TCP.run();
}

#[test]
fn nginx_scgi_unix() {
    nginx::SCGI_UNIX.run();
}

#[test]
fn nginx_uwsgi_tcp() {
    nginx::UWSGI_TCP.run();
}

#[test]
fn nginx_uwsgi_unix() {
    nginx::UWSGI_UNIX.run();
}

#[test]
fn spawn_fcgi() {
    nginx::SPAWN_FCGI.run();
}

#[test]
fn fcgiwrap() {
    nginx::FCGIWRAP.run();
}

#[test]
fn apache_cgid() {
    apache::CGID.run();
}

#[test]
fn apache_fcgid() {
    apache::FCGID.run();
}

#[test]
fn apache_proxy_fcgi() {
    apache::PROXY_FCGI.run();
}

#[test]
fn apache_proxy_fcgi_handler() {
    apache::PROXY_FCGI_HANDLER.run();
}

#[test]
fn apache_proxy_scgi() {
    apache::PROXY_SCGI.run();
}

#[test]
fn apache_proxy_scgi_unix() {
    apache::PROXY_SCGI_UNIX.run();
}

#[test]
fn apache_proxy_uwsgi() {
    apache::PROXY_UWSGI.run();
}

#[test]
fn apache_proxy_uwsgi_unix() {
    apache::PROXY_UWSGI_UNIX.run();
}

#[test]
fn apache_proxy_http() {
    apache::PROXY_HTTP.run();
}

#[test]
fn apache_proxy_ajp() {
    apache::PROXY_AJP.run();
}

#[test]
fn apache_proxy_ajp_secret() {
    apache::PROXY_AJP_SECRET.run();
}

#[test]
fn lighttpd_cgi() {
    lighttpd::CGI.run();
}

#[test]
fn lighttpd_fastcgi() {
    lighttpd::FASTCGI.run();
}

#[test]
fn lighttpd_fastcgi_bin_path() {
    lighttpd::FASTCGI_BIN_PATH.run();
}

#[test]
fn lighttpd_scgi() {
    lighttpd::SCGI.run();
}

#[test]
fn lighttpd_uwsgi() {
    lighttpd::UWSGI.run();
}

#[test]
fn uwsgi_http_router() {
    uwsgi::HTTP_ROUTER.run();
}

#[test]
fn lighttpd_ajp() {
    lighttpd::AJP.run();
}

#[test]
fn lighttpd_proxy() {
    lighttpd::PROXY.run();
}

#[test]
fn gateway_cgi() {
    gateway::CGI.run();
}

#[test]
fn gateway_fastcgi() {
    gateway::FASTCGI.run();
}

#[test]
fn gateway_fastcgi_at_root() {
    gateway::FASTCGI_AT_ROOT.run();
}

#[test]
fn gateway_scgi() {
    gateway::SCGI.run();
}

#[test]
fn python_http_server() {
    small::PYTHON.run();
}

#[test]
fn busybox_httpd() {
    small::BUSYBOX.run();
}

#[test]
fn haproxy_http() {
    haproxy::HTTP.run();
}

#[test]
fn haproxy_http_send_proxy() {
    haproxy::HTTP_SEND_PROXY.run();
}

#[test]
fn haproxy_fastcgi() {
    haproxy::FASTCGI.run();
}

#[test]
fn haproxy_fastcgi_kept() {
    haproxy::FASTCGI_KEPT.run();
}

#[test]
fn haproxy_fastcgi_multiplexed() {
    haproxy::FASTCGI_MULTIPLEXED.run();
}

#[test]
fn caddy_http() {
    caddy::HTTP.run();
}

#[test]
fn caddy_fastcgi_tcp() {
    caddy::FASTCGI_TCP.run();
}

#[test]
fn caddy_fastcgi_unix() {
    caddy::FASTCGI_UNIX.run();
}

#[test]
fn caddy_php_fastcgi() {
    caddy::PHP_FASTCGI.run();
}
