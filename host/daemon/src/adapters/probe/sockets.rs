//! The sockets of this machine, as `/proc` tells them. Blocking.

use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// The length of a line of `/proc/net/tcp`.
const LINE_BYTES: usize = 150;
const MANY_LINES_BYTES: usize = 64 << 10;

/// The states of a TCP socket that are asked for; others are none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Established,
    Listens,
    Other,
}

/// A TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tcp {
    here: SocketAddr,
    there: SocketAddr,
    state: State,
    inode: u64,
}

/// The inodes of the sockets that a process holds; none where that cannot be seen.
pub(super) fn sockets(pid: u32) -> Vec<u64> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"));
    let links = descriptors.into_iter().flatten().flatten();
    let links = links.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    links
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?;
            inode.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

/// Every TCP socket of this network namespace that listens. Costs what is taken of it: behind those that listen the
/// kernel looks through all places that it has for connections, which takes it a millisecond on any machine.
pub(super) fn listening() -> impl Iterator<Item = (SocketAddr, u64)> {
    // Those that listen come first. A line at a time: a read for more goes on into the connections.
    let tables = tables(LINE_BYTES);
    tables.flat_map(|lines| {
        let sockets = lines.map_while(|line| parse(&line));
        let listening = sockets.take_while(|socket| socket.state == State::Listens);
        listening.map(|socket| (socket.here, socket.inode))
    })
}

/// Whether one of these sockets is connected to one of these addresses.
pub(super) fn is_connected(own: &HashSet<u64>, to: &[SocketAddr]) -> bool {
    let mut sockets =
        tables(MANY_LINES_BYTES).flat_map(|lines| lines.filter_map(|line| parse(&line)));
    sockets.any(|socket| {
        let there = socket.there;
        let is_there = |to: &SocketAddr| {
            there.port() == to.port() && there.ip().to_canonical() == to.ip().to_canonical()
        };
        socket.state == State::Established && own.contains(&socket.inode) && to.iter().any(is_there)
    })
}

/// Whether one of these sockets listens in the file system: whoever listens at the port then may ask it there.
pub(super) fn listens_in_files(own: &HashSet<u64>) -> bool {
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let mut listening = table.lines().filter_map(parse_unix);
    listening.any(|inode| own.contains(&inode))
}

/// Whether one of these is a stream to a socket in the file system: whose, nobody can tell.
pub(super) fn has_stream_in_files(own: &HashSet<u64>) -> bool {
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let mut connected = table.lines().filter_map(parse_stream);
    connected.any(|inode| own.contains(&inode))
}

/// The lines of each table, read in pieces of so many bytes.
fn tables(piece: usize) -> impl Iterator<Item = impl Iterator<Item = String>> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let files = tables
        .into_iter()
        .filter_map(|table| fs::File::open(table).ok());
    files.map(move |file| {
        let lines = BufReader::with_capacity(piece, file).lines().skip(1);
        lines.map_while(Result::ok)
    })
}

/// One line of such a table.
fn parse(line: &str) -> Option<Tcp> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let here = parse_place(fields.next()?)?;
    let there = parse_place(fields.next()?)?;
    let state = match fields.next()? {
        "01" => State::Established,
        "0A" => State::Listens,
        _ => State::Other,
    };
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Tcp {
        here,
        there,
        state,
        inode,
    })
}

/// The inode of a stream in the file system that is connected.
fn parse_stream(line: &str) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace().skip(4);
    let is_stream = fields.next()? == "0001" && fields.next()? == "03";
    let inode = fields.next()?.parse().ok()?;
    is_stream.then_some(inode)
}

/// The inode of a socket in the file system that listens.
fn parse_unix(line: &str) -> Option<u64> {
    const LISTENS: u32 = 1 << 16;
    let mut fields = line.split_ascii_whitespace().skip(3);
    let flags = u32::from_str_radix(fields.next()?, 16).ok()?;
    let inode = fields.nth(2)?.parse().ok()?;
    (flags & LISTENS != 0).then_some(inode)
}

fn parse_place(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddr::new(parse_address(address)?, port))
}

/// Words of four bytes, each as the machine holds it.
fn parse_address(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for start in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(start..start + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some(IpAddr::V4(Ipv4Addr::from(four)));
    }
    let sixteen = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
    Some(IpAddr::V6(Ipv6Addr::from(sixteen)))
}

/// Whether a socket that listens here takes connections to there. One that listens everywhere does so for the addresses
/// of this machine; which these are is only known of those of the machine for itself.
pub(super) fn takes(listens: SocketAddr, to: SocketAddr) -> bool {
    let (here, there) = (listens.ip().to_canonical(), to.ip().to_canonical());
    let everywhere = here.is_unspecified() && there.is_loopback();
    listens.port() == to.port() && (here == there || everywhere)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        net::{TcpListener, TcpStream},
        os::{
            fd::AsRawFd,
            unix::net::{UnixListener, UnixStream},
        },
    };

    #[test]
    fn the_tables_of_the_kernel_say_who_listens_where() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100";
        let expected = Tcp {
            here: "127.0.0.1:8080".parse().unwrap(),
            there: "0.0.0.0:0".parse().unwrap(),
            state: State::Listens,
            inode: 12_345,
        };
        // The tables are written in the order of the machine; so are the words of this line on a little one.
        if cfg!(target_endian = "little") {
            assert_eq!(parse(line), Some(expected));
        }
        let connected = parse(&line.replace(" 0A ", " 01 ")).unwrap();
        assert_eq!(connected.state, State::Established);
        assert_eq!(parse("  sl  local_address rem_address   st"), None);
        for (listens, to, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("[::]:80", "127.0.0.1:80", true),
            ("[::]:80", "[::1]:80", true),
            ("0.0.0.0:80", "10.0.0.1:80", false),
            ("10.0.0.1:80", "10.0.0.1:80", true),
            ("127.0.0.2:80", "127.0.0.1:80", false),
        ] {
            let (listens, to) = (listens.parse().unwrap(), to.parse().unwrap());
            assert_eq!(takes(listens, to), expected, "{listens} {to}");
        }
    }

    #[test]
    fn a_socket_in_the_file_system_listens_by_its_flags() {
        let line = "ffff8880: 00000002 00000000 00010000 0001 01 23456 /run/app.sock";
        assert_eq!(parse_unix(line), Some(23_456));
        assert_eq!(parse_unix(&line.replace(" 00010000 ", " 00000000 ")), None);
        assert_eq!(
            parse_unix("Num RefCount Protocol Flags Type St Inode Path"),
            None
        );
    }

    #[test]
    fn a_stream_in_the_file_system_is_connected_by_its_type_and_its_state() {
        let line = "ffff8880: 00000003 00000000 00000000 0001 03 23456";
        assert_eq!(parse_stream(line), Some(23_456));
        for (before, after) in [(" 0001 ", " 0002 "), (" 03 ", " 01 ")] {
            assert_eq!(parse_stream(&line.replace(before, after)), None);
        }
        assert_eq!(parse_stream("Num RefCount Protocol Flags Type St"), None);
    }

    #[test]
    fn the_sockets_of_this_very_process_are_known_for_what_they_are() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = [listener.local_addr().unwrap()];
        let is_listed = listening().any(|(address, _)| address == to[0]);
        assert!(is_listed, "it listens");
        let own = || -> HashSet<u64> { sockets(std::process::id()).into_iter().collect() };
        let client = TcpStream::connect(to[0]).unwrap();
        assert!(is_connected(&own(), &to));
        assert!(
            !is_connected(&HashSet::new(), &to),
            "it is of somebody else"
        );
        drop(client);

        let directory = tempfile::tempdir().unwrap();
        let _files = UnixListener::bind(directory.path().join("socket")).unwrap();
        assert!(listens_in_files(&own()));
        let client = UnixStream::connect(directory.path().join("socket")).unwrap();
        let inode = fs::read_link(format!("/proc/self/fd/{}", client.as_raw_fd()));
        let inode = inode.unwrap().to_string_lossy().into_owned();
        let inode = inode.trim_start_matches("socket:[").trim_end_matches(']');
        let client = HashSet::from([inode.parse().unwrap()]);
        assert!(has_stream_in_files(&client) && !listens_in_files(&client));
        assert!(!has_stream_in_files(&HashSet::new()));
        assert!(!listens_in_files(&HashSet::new()));
    }
}
