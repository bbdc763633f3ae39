//! Who may command over the admin API's socket, and who may only read.
//!
//! Invariant: root and the user that the daemon runs as may command, whatever the config says.
//! Invariant: where there are viewers, who is not known to be in the group only reads; so a user who has left the viewers,
//! and has a session of before, gains nothing by it.

/// The accounts that may only read, by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Viewers {
    /// Users.
    pub users: Vec<u32>,
    /// Groups: everybody in them.
    pub groups: Vec<u32>,
}

impl Viewers {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    /// Whether a user who is in these groups is one of them.
    fn has(&self, user: u32, groups: &[u32]) -> bool {
        self.users.contains(&user) || self.groups.iter().any(|group| groups.contains(group))
    }
}

/// Who may do what over the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketRights {
    /// The user that the daemon runs as.
    pub owner: u32,
    /// The group that the socket is shared with.
    pub group: Option<u32>,
    /// Those who may only read.
    pub viewers: Viewers,
}

impl SocketRights {
    /// Whether a user may command of whom nothing is known but the number; none where that is not enough.
    pub fn of_user(&self, user: u32) -> Option<bool> {
        if user == 0 || user == self.owner || self.viewers.is_empty() {
            return Some(true);
        }
        (self.viewers.users.contains(&user) || self.group.is_none()).then_some(false)
    }

    /// Whether a user may command who is in these groups. A viewer may not, in whatever other group they are.
    ///
    /// ```
    /// use mainstay_domain::socket_rights::{SocketRights, Viewers};
    /// let viewers = Viewers { users: vec![1001], groups: vec![50] };
    /// let rights = SocketRights { owner: 7, group: Some(40), viewers };
    /// assert!(rights.may_command(1000, &[40]));
    /// assert!(!rights.may_command(1000, &[40, 50]), "a viewer by a group");
    /// assert!(!rights.may_command(1001, &[40]), "a viewer by name");
    /// assert!(!rights.may_command(1000, &[]), "in no group that is known");
    /// assert!(rights.may_command(0, &[50]) && rights.may_command(7, &[50]));
    /// ```
    pub fn may_command(&self, user: u32, groups: &[u32]) -> bool {
        self.of_user(user).unwrap_or_else(|| {
            let in_group = self.group.is_some_and(|group| groups.contains(&group));
            in_group && !self.viewers.has(user, groups)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_viewers_whoever_the_socket_lets_in_may_command() {
        for group in [None, Some(40)] {
            let rights = SocketRights {
                owner: 7,
                group,
                viewers: Viewers::default(),
            };
            assert!(rights.may_command(1000, &[]), "{group:?}");
        }
    }

    #[test]
    fn what_the_number_alone_says_is_what_all_groups_say() {
        let viewers = Viewers {
            users: vec![1001],
            groups: vec![50],
        };
        for group in [None, Some(40)] {
            let rights = SocketRights {
                owner: 7,
                group,
                viewers: viewers.clone(),
            };
            for user in [0, 7, 1000, 1001] {
                for groups in [&[][..], &[40], &[50], &[40, 50]] {
                    if let Some(may) = rights.of_user(user) {
                        assert_eq!(rights.may_command(user, groups), may, "{user} {groups:?}");
                    }
                }
            }
        }
    }
}
