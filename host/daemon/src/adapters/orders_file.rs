//! What people ordered that holds over restarts, in a small file of the state directory.
//!
//! Invariant: the file is one that was written whole: it is made under another name, synced and renamed. It is its
//! owner's alone.

use crate::ports::{Boxed, OrderStore};
use mainstay_domain::orders::Orders;
use mainstay_runtime::regular_file;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The file's name in the state directory.
const FILE_NAME: &str = "orders.json";
/// So long it may be: a thousand reports are some 2 MB.
const MOST_BYTES: u64 = 64 << 20;

/// The file of one state directory.
#[derive(Debug, Clone)]
pub struct OrdersFile {
    path: PathBuf,
}

impl OrdersFile {
    /// That of this state directory.
    pub fn new(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join(FILE_NAME),
        }
    }

    /// What holds; nothing where there was none. A file that cannot be read orders nothing; it is put aside, and why is
    /// for people.
    pub fn read(&self) -> (Orders, Option<UnreadOrders>) {
        let read = regular_file::read_whole(&self.path, MOST_BYTES);
        let read: io::Result<Orders> = match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return (Orders::default(), None);
            }
            Err(error) => Err(error),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        };
        match read {
            Ok(orders) => (orders, None),
            Err(error) => (Orders::default(), Some(self.set_aside(&error))),
        }
    }

    fn set_aside(&self, error: &io::Error) -> UnreadOrders {
        let aside = self.path.with_extension("json.unread");
        let place = match fs::rename(&self.path, &aside) {
            Ok(()) => format!("what was there is in {}", aside.display()),
            // The next order replaces it, where it can.
            Err(error) => format!("it stays where it is: {error}"),
        };
        UnreadOrders {
            file: self.path.clone(),
            why: format!("{error}; {place}"),
        }
    }
}

/// Orders that could not be read, and hold no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadOrders {
    /// Where they were.
    pub file: PathBuf,
    /// Why not, and where they are now; for people.
    pub why: String,
}

impl OrderStore for OrdersFile {
    fn keep(&self, orders: Orders) -> Boxed<'_, Result<(), String>> {
        let path = self.path.clone();
        Box::pin(async move {
            let shown = path.display().to_string();
            let writing = tokio::task::spawn_blocking(move || write(&path, &orders)).await;
            match writing {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => {
                    let remedy = mainstay_store::disk_remedy(&error);
                    Err(format!("{shown}: {error}{remedy}"))
                }
                Err(error) => Err(format!("{shown}: {error}")),
            }
        })
    }
}

fn write(path: &Path, orders: &Orders) -> io::Result<()> {
    mainstay_store::replace_private(path, &serde_json::to_vec(orders)?).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::{name::TargetName, orders::StopOrder, time::Timestamp};
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn what_was_ordered_is_read_by_the_next_daemon_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = OrdersFile::new(directory.path());
        assert_eq!(file.read(), (Orders::default(), None));
        let mut orders = Orders::default();
        for target in ["api", "db"] {
            orders.stop(StopOrder {
                target: TargetName::parse(target).unwrap(),
                by: "root".to_owned(),
                note: None,
                reason: String::new(),
                at: Timestamp::from_millis(1),
            });
            file.keep(orders.clone()).await.unwrap();
            assert_eq!(
                OrdersFile::new(directory.path()).read(),
                (orders.clone(), None)
            );
        }
        let mode = fs::metadata(&file.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_was_damaged_orders_nothing_and_is_put_aside_and_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = OrdersFile::new(directory.path());
        let aside = directory.path().join("orders.json.unread");
        for content in ["", "{", "[1]", r#"{"stopped":5}"#] {
            fs::write(&file.path, content).unwrap();
            let (orders, unread) = file.read();
            assert_eq!(orders, Orders::default(), "{content}");
            let unread = unread.unwrap();
            assert_eq!(unread.file, file.path);
            assert!(
                unread.why.contains(aside.to_str().unwrap()),
                "{}",
                unread.why
            );
            assert_eq!(fs::read_to_string(&aside).unwrap(), content);
        }
    }

    #[test]
    fn what_is_no_file_orders_nothing_is_not_waited_for_and_is_put_aside() {
        use rustix::fs::{CWD, Mode, mkfifoat};
        let makers: [fn(&Path); 3] = [
            |path| mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap(),
            |path| fs::create_dir(path).unwrap(),
            |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        ];
        for make in makers {
            let directory = tempfile::tempdir().unwrap();
            let file = OrdersFile::new(directory.path());
            make(&file.path);
            let (orders, unread) = file.read();
            assert_eq!(orders, Orders::default());
            let why = unread.unwrap().why;
            assert!(why.starts_with("it is no regular file; what was"), "{why}");
            assert_eq!(file.read(), (Orders::default(), None));
        }
    }
}
