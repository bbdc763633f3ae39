//! What checks make of the certificates of servers that speak TLS.

use super::{case, judge};
use mainstay_tests::{Daemon, TlsServer};

/// Acts: `target.check(tls)`, `target.check(tls).address`, `target.check(tls).min_days`, `target.check(tls).warn_days`
#[test]
fn a_certificate_is_judged_by_the_days_that_it_has_left_whoever_signed_it() {
    let (valid, expired) = (
        TlsServer::start("server.pem"),
        TlsServer::start("expired.pem"),
    );
    let tls = |server: &TlsServer, more: &str| {
        let port = server.port();
        format!("kind = \"tls\"\naddress = \"localhost:{port}\"\n{more}")
    };
    let deaf = "kind = \"tls\"\naddress = \"127.0.0.1:1\"";
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    let closes = format!("kind = \"tls\"\naddress = \"127.0.0.1:{port}\"");
    std::thread::spawn(move || while plain.accept().is_ok() {});
    // It ends in 2119.
    let cases = [
        case(tls(&valid, ""), "healthy", ""),
        case(tls(&valid, "min_days = 36500"), "failed", "at least 36500"),
        case(tls(&valid, "warn_days = 36500"), "degraded", ""),
        case(tls(&valid, "warn_days = 8"), "healthy", ""),
        case(tls(&expired, ""), "failed", "days ago"),
        case(tls(&expired, "min_days = 0"), "failed", "days ago"),
        case(deaf, "failed", "connection refused"),
        case(closes, "failed", "no certificate"),
    ];
    judge(&mut Daemon::prepare(""), &cases);
}

/// Acts: `target.check(tls).server_name`
#[test]
fn a_server_of_many_names_is_asked_for_the_one_of_the_check() {
    let server = TlsServer::with_other("server.pem", "expired.pem");
    let tls = |more: &str| {
        let port = server.port();
        format!("kind = \"tls\"\naddress = \"127.0.0.1:{port}\"\n{more}")
    };
    let cases = [
        case(tls(""), "healthy", ""),
        case(tls("server_name = \"shop.example\""), "healthy", ""),
        case(tls("server_name = \"other.example\""), "failed", "days ago"),
    ];
    judge(&mut Daemon::prepare(""), &cases);
}
