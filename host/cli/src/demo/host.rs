//! Where the demo plays: a temporary directory, the daemon, the service's address, the receiver.

use super::{plugins::Built, receiver::Receiver};
use crate::console;
use anyhow::{Context, bail};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// How long anything of the demo may take that is waited for.
const DEADLINE: Duration = Duration::from_secs(60);

/// The stage.
pub(super) struct DemoHost {
    pub(super) built: Built,
    pub(super) directory: PathBuf,
    pub(super) receiver: Receiver,
    pub(super) service: String,
    receiver_url: String,
    /// Of the key that backups are encrypted to.
    recipient: String,
    client: reqwest::Client,
    daemon: Option<Child>,
    keep: bool,
}

impl DemoHost {
    pub(super) async fn new(built: Built, keep: bool) -> anyhow::Result<Self> {
        let unique = format!("mainstay-demo-{}", std::process::id());
        let directory = std::env::temp_dir().join(unique);
        fs::create_dir_all(directory.join("plugins"))?;
        fs::create_dir_all(directory.join("data"))?;
        fs::create_dir_all(directory.join("keys"))?;
        let (receiver, address) = Receiver::start().await?;
        let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut host = Self {
            built,
            directory,
            receiver,
            service: format!("http://{free}"),
            receiver_url: format!("http://{address}"),
            recipient: String::new(),
            client: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(5))
                .build()?,
            daemon: None,
            keep,
        };
        host.recipient = host.new_key().await?;
        fs::write(host.config_path(), host.config(7))?;
        for plugin in [
            &host.built.restart_service,
            &host.built.corruption_restore,
            &host.built.webhook,
        ] {
            host.drop_plugin(plugin)?;
        }
        host.drop_plugin(&host.built.gfs_retention)?;
        host.drop_plugin(&host.built.run_command)?;
        Ok(host)
    }

    /// A new key of backups, whose identity is where the config says; its recipient.
    async fn new_key(&self) -> anyhow::Result<String> {
        let identity = self.directory.join("keys/backup.txt");
        let made = self
            .cli(&["backup", "keygen", &identity.to_string_lossy()])
            .await?;
        let recipient = made.get("recipient").and_then(Value::as_str);
        let recipient = recipient.context("the new key has no recipient")?;
        Ok(recipient.to_owned())
    }

    pub(super) fn config_path(&self) -> PathBuf {
        self.directory.join("mainstay.toml")
    }

    /// The config of the demo; `last` is how many backups the retention policy keeps.
    pub(super) fn config(&self, last: u32) -> String {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("mainstay"));
        let listen = self.service.trim_start_matches("http://");
        include_str!("demo.toml")
            .replace("{program}", &program.to_string_lossy())
            .replace("{listen}", listen)
            .replace("{service}", &self.service)
            .replace("{receiver}", &self.receiver_url)
            .replace("{recipient}", &self.recipient)
            .replace("{last}", &last.to_string())
    }

    /// Copies a plugin into the directory under its own name.
    pub(super) fn drop_plugin(&self, component: &Path) -> anyhow::Result<PathBuf> {
        let name = component
            .file_name()
            .context("a component without a file name")?;
        let to = self.directory.join("plugins").join(name);
        fs::copy(component, &to)?;
        Ok(to)
    }

    pub(super) async fn start_daemon(&mut self) -> anyhow::Result<()> {
        let mut log = fs::File::options();
        let log = log.create(true).append(true);
        let log = log.open(self.directory.join("daemon.log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["run", "--config"]).arg(self.config_path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        self.daemon = Some(command.spawn()?);
        self.wait("the daemon to answer", async || {
            self.status().await.map(drop)
        })
        .await
    }

    /// SIGKILL: it ends where it stands.
    pub(super) async fn kill_daemon(&mut self) -> anyhow::Result<()> {
        let mut daemon = self.daemon.take().context("the daemon does not run")?;
        daemon.kill().await.context("it cannot be killed")
    }

    /// SIGTERM; its exit code.
    pub(super) async fn stop_daemon(&mut self) -> anyhow::Result<i32> {
        let mut daemon = self.daemon.take().context("the daemon does not run")?;
        let pid = daemon
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(
            pid.context("the daemon has ended")?,
            rustix::process::Signal::TERM,
        )?;
        let status = tokio::time::timeout(DEADLINE, daemon.wait())
            .await
            .context("it does not end")??;
        status.code().context("a signal ended it")
    }

    /// Runs a command of the command line, as an operator would, and reads its JSON.
    pub(super) async fn cli(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(arguments)
            .arg("--json")
            .arg("--config")
            .arg(self.config_path())
            .stdin(Stdio::null());
        let output = command.output().await?;
        if !output.status.success() {
            bail!(
                "mainstay {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("mainstay {} printed no JSON", arguments.join(" ")))
    }

    pub(super) async fn status(&self) -> anyhow::Result<Value> {
        self.cli(&["status"]).await
    }

    /// A request to the service; its status.
    pub(super) async fn service(
        &self,
        method: reqwest::Method,
        path: &str,
        body: &str,
    ) -> anyhow::Result<u16> {
        let url = format!("{}{path}", self.service);
        let response = self
            .client
            .request(method, url)
            .body(body.to_owned())
            .send()
            .await?;
        Ok(response.status().as_u16())
    }

    /// Waits until `look` is ok; its last error where it never is.
    pub(super) async fn wait<T>(
        &self,
        what: &str,
        look: impl AsyncFn() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let end = Instant::now() + DEADLINE;
        loop {
            match look().await {
                Ok(found) => return Ok(found),
                Err(error) if Instant::now() > end => {
                    return Err(error.context(format!("waited for {what}")));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Waits until a row of `plugin list` satisfies a predicate.
    pub(super) async fn wait_for_plugin(
        &self,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        self.wait(what, async || {
            let rows = self.cli(&["plugin", "list"]).await?;
            let row = rows
                .as_array()
                .and_then(|rows| rows.iter().find(|row| wanted(row)))
                .cloned();
            row.with_context(|| format!("last seen: {rows}"))
        })
        .await
    }

    /// Stops what still runs and removes the directory.
    pub(super) async fn close(mut self) {
        if self.daemon.is_some() {
            let _ = self.stop_daemon().await;
        }
        if self.keep {
            console::note(format_args!("kept {}", self.directory.display()));
        } else if let Err(error) = fs::remove_dir_all(&self.directory) {
            console::note(format_args!(
                "cannot remove {}: {error}",
                self.directory.display()
            ));
        }
    }
}
