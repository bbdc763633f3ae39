//! Whether JSON documents are those whose checksums they hold.
//!
//! Invariant: a document that cannot be read has not failed: nothing is known of its data [seed 000].

use super::{HostProbe, Seen, in_time, seen::io_cause};
use mainstay_domain::{
    checksum::{Checksum, Judgement, judge},
    health::Outcome,
    spec::{CheckSpec, TargetSpec},
    text::{counted, excerpt},
};
use mainstay_runtime::regular_file::read_whole;
use std::{path::PathBuf, sync::Arc};

/// So large may a document be. It is held in memory while it is looked at.
const MAX_DOCUMENT: u64 = 16 << 20;

/// What is looked at, and what it has to have.
pub(super) struct Wanted {
    pub(super) paths: Vec<PathBuf>,
    pub(super) has_checksum: bool,
    pub(super) members: Vec<String>,
}

impl HostProbe {
    /// The error is what is seen where the look itself could not be done.
    pub(super) async fn look_at_documents(
        &self,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
        wanted: Wanted,
    ) -> Result<Seen, Seen> {
        let turn = self.blocking.turn(&target.name, check).await?;
        let look = turn.run(move || look(&wanted));
        // A file system that does not answer says nothing about the data.
        let late = |late: Seen| Err(late.into_unknown());
        let seen = in_time(check, check.timeout, look).await;
        seen.unwrap_or_else(late)
    }
}

/// The worst of what is seen of each. Blocks.
fn look(wanted: &Wanted) -> Seen {
    let mut unread = None;
    let mut unjudged = 0_usize;
    for path in &wanted.paths {
        let shown = path.display();
        match read_whole(path, MAX_DOCUMENT) {
            Err(error) => {
                let why = io_cause(&error);
                unread.get_or_insert_with(|| Seen::unknown(format!("{shown}: {why}")));
            }
            Ok(content) => match read(&content, &wanted.members) {
                Ok(seen) if !seen.lacks.is_empty() => {
                    let lacks = seen.lacks.join("`, no `");
                    return Seen::failed(format!("{shown} has no `{lacks}`"));
                }
                Ok(seen) => match seen.checksum {
                    Checksum::Good => {}
                    Checksum::None if wanted.has_checksum => {
                        return Seen::failed(format!("{shown} has no `_checksum`"));
                    }
                    Checksum::None => unjudged += 1,
                    Checksum::Bad { stated, found } => {
                        return Seen::failed(format!(
                            "{shown} is not what its checksum is of: it says {stated}, and has {found}"
                        ));
                    }
                },
                Err(why) => {
                    return Seen::failed(format!("{shown} is no JSON: {}", excerpt(&why)));
                }
            },
        }
    }
    let all = counted(wanted.paths.len(), "document");
    let seen = match unjudged {
        0 => Seen::new(Outcome::Healthy, format!("{all} as its checksum says")),
        _ => Seen::new(
            Outcome::Healthy,
            format!("{all}, of which {unjudged} without a checksum"),
        ),
    };
    unread.unwrap_or(seen)
}

/// What is seen of a document. The error says why it is no JSON.
fn read<'a>(content: &[u8], members: &'a [String]) -> Result<Judgement<'a>, String> {
    let document = std::str::from_utf8(content).map_err(|error| error.to_string())?;
    judge(document, members)
}
