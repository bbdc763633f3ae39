//! The API over its real sockets.

mod access;
mod doors;
mod shapes;
mod streams;

use super::testing::Served;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// One request over the Unix socket; status and body.
async fn ask(served: &Served, method: Method, path: &str, body: Value) -> (StatusCode, String) {
    let mut request = served
        .client()
        .request(method, format!("http://mainstay{path}"));
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn get(served: &Served, path: &str) -> (StatusCode, String) {
    ask(served, Method::GET, path, Value::Null).await
}

async fn post(served: &Served, path: &str, body: Value) -> (StatusCode, String) {
    ask(served, Method::POST, path, body).await
}
