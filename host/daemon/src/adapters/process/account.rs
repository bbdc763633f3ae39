//! The account that a child runs as, from `/etc/passwd` and `/etc/group`.
//!
//! Only local accounts: asking the name service would need foreign code in the daemon, which runs as root here.

use crate::ports::{AccountError, Accounts};
use rustix::process::{Gid, Uid};

/// Who a child runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    name: String,
    home: String,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    /// The primary group and every group that lists the account, as initgroups(3) takes them.
    pub(super) groups: Vec<Gid>,
}

impl Account {
    /// What login(1) sets for an account.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let pairs = [
            ("USER", &self.name),
            ("LOGNAME", &self.name),
            ("HOME", &self.home),
        ];
        pairs
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .into()
    }
}

/// The local accounts, for their names.
pub struct LocalAccounts;

impl Accounts for LocalAccounts {
    fn name(&self, uid: u32) -> Option<String> {
        name_of(uid, &std::fs::read_to_string("/etc/passwd").ok()?)
    }

    fn user(&self, name: &str) -> Option<u32> {
        number_of(name, &std::fs::read_to_string("/etc/passwd").ok()?)
    }

    fn group(&self, name: &str) -> Option<u32> {
        number_of(name, &std::fs::read_to_string("/etc/group").ok()?)
    }

    fn groups(&self, uid: u32) -> Vec<u32> {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        let groups = || {
            let passwd = read("/etc/passwd")?;
            let account = parse(&name_of(uid, &passwd)?, &passwd, &read("/etc/group")?)?;
            Some(account.groups.iter().map(|group| group.as_raw()).collect())
        };
        groups().unwrap_or_default()
    }
}

/// The number of the account or of the group with this name, by the lines of their file.
fn number_of(name: &str, lines: &str) -> Option<u32> {
    let mut named = lines.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.nth(1)?))
    });
    let (_, number) = named.find(|(found, _)| *found == name)?;
    number.parse().ok()
}

/// The first account with this number: so it is with getpwuid(3), too.
fn name_of(uid: u32, passwd: &str) -> Option<String> {
    let mut accounts = passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.nth(1)?))
    });
    let (name, _) = accounts.find(|(_, number)| number.parse() == Ok(uid))?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// The account with this name; needs a daemon that runs as root.
pub(super) fn find(name: &str) -> Result<Account, AccountError> {
    if !rustix::process::geteuid().is_root() {
        return Err(AccountError::NotRoot);
    }
    let read = |path: &'static str| {
        std::fs::read_to_string(path).map_err(|source| AccountError::Unreadable { path, source })
    };
    parse(name, &read("/etc/passwd")?, &read("/etc/group")?).ok_or(AccountError::Unknown)
}

/// Whether this content of `/etc/passwd` has an account of this name that a child can run as.
pub fn is_account(name: &str, passwd: &str) -> bool {
    parse(name, passwd, "").is_some()
}

fn parse(name: &str, passwd: &str, group: &str) -> Option<Account> {
    let entry = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let entry = entry
        .into_iter()
        .find(|fields| fields.first() == Some(&name))?;
    let [_, _, uid, gid, _, home, ..] = entry.as_slice() else {
        return None;
    };
    let gid = gid.parse().ok()?;
    let mut groups = vec![gid];
    for line in group.lines() {
        if let [_, _, id, members, ..] = line.split(':').collect::<Vec<_>>().as_slice()
            && members.split(',').any(|member| member == name)
            && let Ok(id) = id.parse()
            && !groups.contains(&id)
        {
            groups.push(id);
        }
    }
    Some(Account {
        name: name.to_owned(),
        home: (*home).to_owned(),
        uid: Uid::from_raw(uid.parse().ok()?),
        gid: Gid::from_raw(gid),
        groups: groups.into_iter().map(Gid::from_raw).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\nweb:x:33:34:w,,:/var/www:/bin/false\nbad:x:no:1::/:\n";
    const GROUP: &str = "root:x:0:\nwww:x:34:web\nssl:x:50:db,web\nwebs:x:51:webs\n";

    #[test]
    fn an_account_has_its_primary_group_and_those_that_list_it() {
        let web = parse("web", PASSWD, GROUP).unwrap();
        assert_eq!(web.uid.as_raw(), 33);
        let groups: Vec<u32> = web.groups.iter().map(|group| group.as_raw()).collect();
        assert_eq!((web.gid.as_raw(), groups), (34, vec![34, 50]));
        assert!(
            web.environment()
                .contains(&("HOME".to_owned(), "/var/www".to_owned()))
        );
    }

    #[test]
    fn a_number_has_the_name_of_its_account() {
        for (uid, name) in [(0, Some("root")), (33, Some("web")), (1, None), (7, None)] {
            assert_eq!(name_of(uid, PASSWD).as_deref(), name, "{uid}");
        }
    }

    #[test]
    fn accounts_and_groups_are_found_by_their_names() {
        assert_eq!(number_of("web", PASSWD), Some(33));
        assert_eq!(number_of("bad", PASSWD), None);
        assert_eq!(number_of("ssl", GROUP), Some(50));
        assert_eq!(number_of("nobody-here", GROUP), None);
    }

    #[test]
    fn an_unknown_or_broken_account_is_none() {
        for name in ["nobody-here", "bad", "", "x"] {
            assert_eq!(parse(name, PASSWD, GROUP), None, "{name}");
        }
    }
}
