//! The demo's webhook receiver: a real HTTP server that remembers what it was sent.

use axum::{Json, Router, extract::State, routing::post};
use parking_lot::Mutex;
use serde_json::Value;
use std::{net::SocketAddr, sync::Arc};

/// Remembers every alert.
#[derive(Debug, Clone, Default)]
pub(super) struct Receiver(Arc<Mutex<Vec<Value>>>);

impl Receiver {
    /// Listens on a free port of the loopback interface until the runtime ends.
    pub(super) async fn start() -> anyhow::Result<(Self, SocketAddr)> {
        let receiver = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let routes = Router::new()
            .route("/alerts", post(take))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok((receiver, address))
    }

    /// What has arrived.
    pub(super) fn alerts(&self) -> Vec<Value> {
        self.0.lock().clone()
    }
}

async fn take(State(receiver): State<Receiver>, Json(alert): Json<Value>) {
    receiver.0.lock().push(alert);
}
