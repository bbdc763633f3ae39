//! The accounts with whom the admin API's socket is shared, by their numbers.

use crate::ports::Accounts;
use anyhow::Context;
use mainstay_domain::{
    socket_rights::{SocketRights, Viewers},
    spec::{SocketSpec, ViewerSpec},
};

/// Who may do what over the socket, as the accounts are now.
pub(super) fn socket_rights(
    spec: &SocketSpec,
    accounts: &dyn Accounts,
) -> anyhow::Result<SocketRights> {
    let group_of = |key: &str, name: &str| {
        accounts.group(name).with_context(|| {
            format!("{key}: /etc/group has no group `{name}`; name one that it has")
        })
    };
    let mut viewers = Viewers::default();
    for viewer in &spec.viewers {
        match viewer {
            ViewerSpec::User(name) => {
                viewers.users.push(accounts.user(name).with_context(|| {
                    format!(
                        "host.api.viewers: /etc/passwd has no user `{name}`; name one that it has, or a group as `@{name}`"
                    )
                })?);
            }
            ViewerSpec::Group(name) => viewers.groups.push(group_of("host.api.viewers", name)?),
        }
    }
    let group = spec.group.as_deref();
    Ok(SocketRights {
        owner: rustix::process::geteuid().as_raw(),
        group: group
            .map(|name| group_of("host.api.group", name))
            .transpose()?,
        viewers,
    })
}
