//! Running build tools: bounded questions, and long work whose lines are reported.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

/// Kept of what a failed tool printed: the end, where the reason is.
const MAX_OUTPUT: usize = 64 << 10;

/// Why a tool gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It was not found, or cannot be run.
    #[error("cannot start {tool}: {error}")]
    NotStarted {
        /// The program.
        tool: String,
        /// Why.
        error: std::io::Error,
    },
    /// It exited with an error.
    #[error("{tool} ended with {status}: {}", .output.trim())]
    Failed {
        /// The program.
        tool: String,
        /// How.
        status: ExitStatus,
        /// The end of what it printed to its standard error.
        output: String,
    },
    /// What it printed is not what was asked for.
    #[error("{tool} answered with something else: {error}")]
    Unreadable {
        /// The program.
        tool: String,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// It was killed.
    #[error("{tool} did not end within {after:?}")]
    TimedOut {
        /// The program.
        tool: String,
        /// Its time.
        after: Duration,
    },
}

/// Whether a program of this name is found.
pub(super) fn is_on_path(name: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| is_file(&dir.join(name))))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

fn start(mut command: Command) -> Result<(String, Child), RunError> {
    let tool = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    match command.spawn() {
        Ok(child) => Ok((tool, child)),
        Err(error) => Err(RunError::NotStarted { tool, error }),
    }
}

/// What a tool prints; it is killed after `timeout`.
pub(super) fn capture(command: Command, timeout: Duration) -> Result<String, RunError> {
    let (tool, mut child) = start(command)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let deadline = Instant::now() + timeout;
    std::thread::scope(|scope| {
        let (ended, end) = mpsc::channel();
        let stdout = scope.spawn(move || {
            let text = read_text(stdout);
            let _ = ended.send(());
            text
        });
        let stderr = scope.spawn(move || read_text(stderr));
        // The end of its output is the sign to wait for it; then it exits at once.
        let _ = end.recv_timeout(timeout);
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok(None) | Err(_) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(RunError::TimedOut {
                        tool,
                        after: timeout,
                    });
                }
            }
        };
        let (stdout, stderr) = (
            stdout.join().unwrap_or_default(),
            stderr.join().unwrap_or_default(),
        );
        finish(tool, status, stdout, stderr)
    })
}

/// Runs long work: each line of its standard error is reported as it comes. Answers with its standard output.
pub(super) fn stream(command: Command, report: &dyn Fn(&str)) -> Result<String, RunError> {
    let (tool, mut child) = start(command)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let stdout = scope.spawn(move || read_text(stdout));
        let mut printed = String::new();
        for line in stderr
            .into_iter()
            .flat_map(|pipe| BufReader::new(pipe).split(b'\n'))
        {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line);
            report(line.trim_end());
            printed.push_str(&line);
            printed.push('\n');
        }
        let status = child.wait();
        let stdout = stdout.join().unwrap_or_default();
        match status {
            Ok(status) => finish(tool, status, stdout, printed),
            Err(error) => Err(RunError::NotStarted { tool, error }),
        }
    })
}

fn read_text(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn finish(
    tool: String,
    status: ExitStatus,
    stdout: String,
    stderr: String,
) -> Result<String, RunError> {
    if status.success() {
        return Ok(stdout);
    }
    let mut from = stderr.len().saturating_sub(MAX_OUTPUT);
    while !stderr.is_char_boundary(from) {
        from += 1;
    }
    let output = stderr.get(from..).unwrap_or_default().to_owned();
    Err(RunError::Failed {
        tool,
        status,
        output,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_tool_that_hangs_is_killed() {
        let error = capture(sh("exec sleep 300"), Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, RunError::TimedOut { .. }), "{error}");
    }

    #[test]
    fn a_failed_tool_says_what_it_printed() {
        let error = capture(sh("echo why >&2; exit 3"), Duration::from_secs(20)).unwrap_err();
        assert_eq!(error.to_string(), "sh ended with exit status: 3: why");
        let error = capture(Command::new("/nonexistent"), Duration::from_secs(20)).unwrap_err();
        assert!(matches!(error, RunError::NotStarted { .. }), "{error}");
    }

    #[test]
    fn lines_are_reported_and_the_output_is_the_answer() {
        let lines = RefCell::new(Vec::new());
        let report = |line: &str| lines.borrow_mut().push(line.to_owned());
        let output = stream(sh("echo one >&2; echo out; echo two >&2"), &report).unwrap();
        assert_eq!(output, "out\n");
        assert_eq!(lines.into_inner(), ["one", "two"]);
    }
}
