//! A look at a URL, from hop to hop.
//!
//! Invariant: the name of each hop is looked up before it is asked, and that takes nothing of the time that the requests
//! have: a name server that is silent says nothing about the target, wherever a redirect leads.

use super::{
    HostProbe, Seen,
    http::{Hop, Walk},
    in_time,
    timing::read_in_time,
};
use mainstay_domain::spec::{CheckSpec, HttpCheck, TargetSpec, Trust};
use reqwest::Client;
use std::{net::SocketAddr, sync::Arc};
use tokio::time::Instant;

impl HostProbe {
    /// What is seen, and where the URL of the check itself leads. The error is what is seen where nothing could be asked.
    pub(super) async fn look_at_url(
        &self,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
        http: &HttpCheck,
    ) -> Result<(Vec<SocketAddr>, Seen), Seen> {
        let to = self.addresses_of_url(http, check).await?;
        let client = self.client_of(target, check, http).await?;
        let mut walk = Walk::new(&client, http, &*self.secrets)?;
        let (mut there, mut left) = (to.clone(), check.timeout);
        loop {
            let start = Instant::now();
            let next = match in_time(check, left, walk.step(&there)).await {
                Ok(Hop::To(next)) => next,
                Ok(Hop::End(seen)) | Err(seen) => return Ok((to, seen)),
            };
            left = left.saturating_sub(start.elapsed());
            there = self.addresses_at(&next, walk.what(), check).await?;
        }
    }

    /// That the file of its authorities cannot be read says nothing about the target.
    async fn client_of(
        &self,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
        http: &HttpCheck,
    ) -> Result<Client, Seen> {
        let Trust::Authorities(file) = &http.trust else {
            return self.http.of(http, None).await;
        };
        let turn = self.blocking.turn(&target.name, check).await?;
        let (method, file) = (http.method.as_str(), file.display());
        let what = format!("{method} {}: `ca` {file}", http.url);
        read_in_time(check, what, self.http.of(http, Some(turn))).await
    }
}
