//! Under which names the API answers over TCP.
//!
//! A page of a stranger can give its own name the address of this machine, and have a browser ask in that name: DNS
//! rebinding. What is asked in a name that is not ours is not answered, whoever asks.

use axum::http::{HeaderMap, Uri, header::HOST, uri::Authority};
use std::net::IpAddr;

/// The names of one listener.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    /// What it listens on.
    pub(super) listen: IpAddr,
    /// What the config allows beside, without a port.
    pub(super) names: Vec<String>,
}

impl Hosts {
    /// Whether a request is for us. `local` is this machine's end of the connection.
    ///
    /// # Errors
    /// The name that it is for, as far as there is one.
    pub(super) fn check(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        local: Option<IpAddr>,
    ) -> Result<(), String> {
        let mut fields = headers.get_all(HOST).iter();
        let field = fields.next().map(|field| field.as_bytes());
        if fields.next().is_some() {
            return Err("several `Host` headers".to_owned());
        }
        let field = field.map(|field| String::from_utf8_lossy(field).into_owned());
        // A proxy's form of request has the name in its first line, too.
        let asked_for = uri.authority().map(ToString::to_string).into_iter();
        let asked_for: Vec<String> = asked_for.chain(field).collect();
        if asked_for.is_empty() {
            return Err("no `Host` header".to_owned());
        }
        match asked_for.iter().find(|name| !self.is_ours(name, local)) {
            Some(name) => Err(format!("the host {name:?}")),
            None => Ok(()),
        }
    }

    /// The port may be any: a tunnel has its own.
    fn is_ours(&self, name: &str, local: Option<IpAddr>) -> bool {
        let authority = name.parse::<Authority>();
        let Some(authority) = authority.ok().filter(|_| !name.contains('@')) else {
            return false;
        };
        let host = authority.host();
        let host = host.strip_suffix('.').unwrap_or(host);
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let bare = bare.unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            let address = address.to_canonical();
            let ours = [Some(self.listen), local];
            let mut ours = ours.iter().flatten().map(IpAddr::to_canonical);
            if ours.any(|ours| ours == address) {
                return true;
            }
        }
        bare.eq_ignore_ascii_case("localhost")
            || self
                .names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(bare))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_our_own_names_are_answered() {
        let hosts = Hosts {
            listen: "0.0.0.0".parse().unwrap(),
            names: vec!["mainstay.example".to_owned(), "2001:db8::7".to_owned()],
        };
        let local = Some("::ffff:192.0.2.7".parse().unwrap());
        let check = |fields: &[&str], uri: &str| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(HOST, HeaderValue::from_str(field).unwrap());
            }
            hosts.check(&uri.parse().unwrap(), &headers, local)
        };
        for ours in [
            "localhost",
            "LocalHost:7070",
            "localhost.",
            "192.0.2.7",
            "192.0.2.7:7070",
            "0.0.0.0:7070",
            "mainstay.example",
            "Mainstay.Example:443",
            "[2001:db8::7]:7070",
        ] {
            assert_eq!(check(&[ours], "/v1/status"), Ok(()), "{ours}");
        }
        for strange in [
            "evil.example",
            "localhost.evil.example",
            "mainstay.example.evil.example",
            "xmainstay.example",
            "127.0.0.1",
            "192.0.2.8:7070",
            "",
            "localhost@evil.example",
            "evil.example@localhost",
            "local host",
        ] {
            let error = check(&[strange], "/v1/status").unwrap_err();
            assert_eq!(error, format!("the host {strange:?}"));
        }
        assert_eq!(check(&[], "/").unwrap_err(), "no `Host` header");
        let two = check(&["localhost", "localhost"], "/").unwrap_err();
        assert_eq!(two, "several `Host` headers");
        assert_eq!(check(&["localhost"], "http://localhost/v1/status"), Ok(()));
        assert!(check(&["localhost"], "http://evil.example/v1/status").is_err());
        assert!(check(&["evil.example"], "http://localhost/v1/status").is_err());
    }
}
