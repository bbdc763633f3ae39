//! The service that the demo watches: a small HTTP server that keeps documents on disk.
//!
//! It is a program of its own (`mainstay demo-service`), so that it can really be killed. Each document is a file, and
//! beside it lies its BLAKE3 hash, so that corruption can be told from change.

use axum::{
    Router,
    extract::{Path as UrlPath, State},
    http::StatusCode,
    routing::{get, put},
};
use mainstay_domain::name::JobName;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

type Answer = (StatusCode, String);

/// Serves the documents of a directory until it is killed.
pub async fn serve(listen: SocketAddr, directory: PathBuf) -> anyhow::Result<()> {
    fs::create_dir_all(&directory)?;
    let routes = Router::new()
        .route("/health", get(|| async { "serving\n" }))
        .route("/documents/{name}", put(store).get(load).delete(remove))
        .with_state(Arc::new(directory));
    let listener = tokio::net::TcpListener::bind(listen).await?;
    axum::serve(listener, routes).await?;
    Ok(())
}

fn failed(error: &dyn std::fmt::Display) -> Answer {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))
}

/// A document's file; names are kebab-case, so a name cannot leave the directory.
fn file_of(directory: &Path, name: &str) -> Result<PathBuf, Answer> {
    match JobName::parse(name) {
        Ok(name) => Ok(directory.join(format!("{name}.json"))),
        Err(error) => Err((StatusCode::BAD_REQUEST, format!("{error}\n"))),
    }
}

fn hash_file(document: &Path) -> PathBuf {
    document.with_extension("blake3")
}

async fn store(
    State(directory): State<Arc<PathBuf>>,
    UrlPath(name): UrlPath<String>,
    body: String,
) -> Result<StatusCode, Answer> {
    let file = file_of(&directory, &name)?;
    fs::write(&file, &body).map_err(|error| failed(&error))?;
    fs::write(
        hash_file(&file),
        blake3::hash(body.as_bytes()).to_hex().as_str(),
    )
    .map_err(|error| failed(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn load(
    State(directory): State<Arc<PathBuf>>,
    UrlPath(name): UrlPath<String>,
) -> Result<String, Answer> {
    let file = file_of(&directory, &name)?;
    fs::read_to_string(file).map_err(|error| (StatusCode::NOT_FOUND, format!("{error}\n")))
}

async fn remove(
    State(directory): State<Arc<PathBuf>>,
    UrlPath(name): UrlPath<String>,
) -> Result<StatusCode, Answer> {
    let file = file_of(&directory, &name)?;
    fs::remove_file(&file).map_err(|error| failed(&error))?;
    fs::remove_file(hash_file(&file)).map_err(|error| failed(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many documents there are, where each has the hash that was written with it; else what is wrong.
pub fn verify(directory: &Path) -> Result<usize, String> {
    let at = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let mut sound = 0;
    for entry in fs::read_dir(directory)
        .map_err(|error| at(directory, error))?
        .flatten()
    {
        let file = entry.path();
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let bytes = fs::read(&file).map_err(|error| at(&file, error))?;
        let wanted = fs::read_to_string(hash_file(&file)).map_err(|error| at(&file, error))?;
        if blake3::hash(&bytes).to_hex().as_str() != wanted {
            return Err(format!("{} does not have its hash", file.display()));
        }
        sound += 1;
    }
    Ok(sound)
}
