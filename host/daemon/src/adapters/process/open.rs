//! The processes of this machine when a daemon begins: the directory of their logs, and what keeps these.

use super::{
    HostProcesses, ProcessesError, boot,
    child::Children,
    control_groups::ControlGroups,
    leftovers::Leftovers,
    log::{self, Rotations},
    log_keeper::LogKeeper,
    mark::Marks,
    start::Starting,
};
use crate::{
    adapters::{environment::ChildEnvironment, program::Starts},
    ports::{Clock, Secrets},
};
use parking_lot::Mutex;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

impl HostProcesses {
    /// Keeps logs in `state_dir/logs`, which is made where it is not there and can be, and marks children as those of
    /// `state_dir`.
    pub fn new(
        state_dir: &Path,
        secrets: Arc<dyn Secrets>,
        environment: Arc<ChildEnvironment>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ProcessesError> {
        let failed = |operation, path: &Path| {
            let path = path.to_owned();
            move |source| ProcessesError {
                operation,
                path,
                source,
            }
        };
        let logs = state_dir.join("logs");
        // Lines for people are no reason to watch nothing; with the start of a child it is made again.
        if let Err(error) = log::make_directory(&logs) {
            tracing::warn!(
                directory = %logs.display(),
                %error,
                "there is no directory for the logs of targets: what they print is lost where none can be made when they start"
            );
        }
        let of_state = |state_dir: PathBuf| state_dir.join("logs");
        let resolved = logs.canonicalize();
        let resolved = resolved.or_else(|_| state_dir.canonicalize().map(of_state));
        let logs = resolved.map_err(failed("resolve the directory", state_dir))?;
        let boot_id = boot::id().map_err(|(path, source)| failed("read", &path)(source))?;
        let marks = Marks::new(&logs);
        let rotations = Rotations::default();
        let keeper = LogKeeper::start(rotations.clone(), marks.written().clone())
            .map_err(failed("start the thread that keeps the logs in", &logs))?;
        Ok(Self {
            children: Arc::new(Children::new(boot_id.clone(), marks.clone())),
            starting: Starting::new(),
            before_starts: Starts::new("before-start"),
            logs,
            rotations,
            keeper,
            leftovers: Arc::new(Leftovers::new(marks.clone())),
            groups: ControlGroups::new(marks.state()),
            unbounded: Mutex::default(),
            marks,
            boot_id,
            secrets,
            environment,
            clock,
        })
    }
}
