//! Where a check leads: its name is looked up before the look itself begins.

use super::{HostProbe, Seen, length, names::NameError};
use mainstay_domain::{
    spec::{CheckSpec, HttpCheck},
    text::excerpt,
};
use reqwest::Url;
use std::net::{IpAddr, SocketAddr};

impl HostProbe {
    /// Where an address, or a name and its port, lead. The error is what is seen where that is not known.
    pub(super) async fn addresses_of(
        &self,
        address: &str,
        check: &CheckSpec,
    ) -> Result<Vec<SocketAddr>, Seen> {
        if let Ok(literal) = address.parse() {
            return Ok(vec![literal]);
        }
        let parts = address.rsplit_once(':');
        let parts = parts.and_then(|(name, port)| Some((name, port.parse::<u16>().ok()?)));
        let Some((name, port)) = parts else {
            return Err(Seen::failed(format!("{address}: it is no HOST:PORT")));
        };
        let found = self.look_up(name, address, check).await?.into_iter();
        Ok(found.map(|found| SocketAddr::new(found, port)).collect())
    }

    /// Where the URL of a check leads. Its client looks the name up again, and gets this answer; but where there is none
    /// it would only know that the request took too long.
    pub(super) async fn addresses_of_url(
        &self,
        http: &HttpCheck,
        check: &CheckSpec,
    ) -> Result<Vec<SocketAddr>, Seen> {
        let what = format!("{} {}", http.method.as_str(), http.url);
        match Url::parse(&http.url) {
            Ok(url) => self.addresses_at(&url, &what, check).await,
            Err(_) => Ok(Vec::new()),
        }
    }

    /// As [`HostProbe::addresses_of_url`], of any URL; `what` is what is asked, for people.
    pub(super) async fn addresses_at(
        &self,
        url: &Url,
        what: &str,
        check: &CheckSpec,
    ) -> Result<Vec<SocketAddr>, Seen> {
        let parts = url.host_str().zip(url.port_or_known_default());
        let Some((name, port)) = parts else {
            return Ok(Vec::new());
        };
        let found = self.look_up(name, what, check).await?.into_iter();
        Ok(found.map(|found| SocketAddr::new(found, port)).collect())
    }

    async fn look_up(
        &self,
        name: &str,
        what: &str,
        check: &CheckSpec,
    ) -> Result<Vec<IpAddr>, Seen> {
        let found = tokio::time::timeout(check.timeout, self.names.resolve(name)).await;
        match found {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(NameError::NoSuchName(why))) => Err(Seen::failed(format!("{what}: {why}"))),
            Ok(Err(NameError::Unanswered(why))) => Err(Seen::unknown(format!("{what}: {why}"))),
            Err(_) => Err(Seen::unknown(format!(
                "{what}: looking `{}` up had no answer within {}",
                excerpt(name),
                length(check.timeout)
            ))),
        }
    }
}
