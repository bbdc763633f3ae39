//! The way to the StatsD that the config names.

use crate::{
    ports::RecoveryControl,
    services::metrics::{Metrics, Numbers, Sample, StatsdService},
};
use anyhow::Context;
use mainstay_domain::spec::StatsdSpec;
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
};
use tokio::sync::mpsc;

/// So many samples wait; of more the newest are left out.
const SAMPLES: usize = 10_000;

/// A StatsD that numbers are to be sent to.
pub(super) struct StatsdDoor {
    to: StatsdSpec,
    socket: UdpSocket,
    samples: mpsc::Receiver<Sample>,
}

/// Numbers of which that StatsD gets each sample, and the door to it; the numbers as they are where there is none.
pub(super) fn open(
    to: Option<StatsdSpec>,
    numbers: Numbers,
) -> anyhow::Result<(Numbers, Option<StatsdDoor>)> {
    let Some(to) = to else {
        return Ok((numbers, None));
    };
    let socket = connect(to.address)
        .with_context(|| format!("cannot open a socket for StatsD at {}", to.address))?;
    let (each, samples) = mpsc::channel(SAMPLES);
    let door = StatsdDoor {
        to,
        socket,
        samples,
    };
    Ok((numbers.with_each_sample(each), Some(door)))
}

fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let own: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(own)?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl StatsdDoor {
    /// What tells the numbers there.
    pub(super) fn service(
        self,
        metrics: Arc<Metrics>,
        recovery: Arc<dyn RecoveryControl>,
    ) -> StatsdService {
        let Self {
            to,
            socket,
            samples,
        } = self;
        StatsdService {
            to,
            metrics,
            recovery,
            samples,
            send: Box::new(move |datagram| socket.send(datagram).map(drop)),
        }
    }
}
