//! PostgreSQL: a login and a query in its protocol 3.0, and what its answers mean.
//!
//! Invariant: a password is sent as a proof or a digest of it alone; to who asks for it in plain text nothing is sent.
//! Invariant: who has proven nothing in SCRAM is not believed to be the server.

use super::{
    Verdict,
    md5::md5_hex,
    scram::{Proof, Scram},
};
use crate::{spec::PostgresCheck, text::excerpt};

/// So long may a message be, in bytes.
const MOST_BYTES: usize = 1 << 20;
/// 3.0 of the protocol.
const VERSION: i32 = 196_608;
const MECHANISM: &str = "SCRAM-SHA-256";

/// One message of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    kind: u8,
    body: Vec<u8>,
}

/// What follows from a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// More has to come.
    Wait,
    /// This is to be sent.
    Send(Vec<u8>),
    /// The look is over.
    End(Verdict),
}

/// One look at a server.
pub struct Session<'a> {
    check: &'a PostgresCheck,
    password: Option<&'a str>,
    nonce: String,
    phase: Phase,
}

/// How far a look is.
enum Phase {
    LoggingIn,
    /// SCRAM has begun.
    Challenged(Scram),
    /// The server has to prove that it knows the password too.
    Proving(Proof),
    /// The server has taken the login, and has to say that it is ready.
    LoggedIn,
    /// The query was sent; the first column of the first row of its answer, once that has come.
    Asked(Option<Option<String>>),
}

/// The message that the received bytes begin with, and how many of them it has; none where more of it has to come. The
/// error says why it is none.
pub fn message(received: &[u8]) -> Result<Option<(Message, usize)>, String> {
    let Some((head, rest)) = received.split_first_chunk::<5>() else {
        return Ok(None);
    };
    let [kind, length @ ..] = *head;
    // It counts itself.
    let length = usize::try_from(u32::from_be_bytes(length)).ok();
    let length = length.and_then(|length| length.checked_sub(4));
    match length.filter(|length| *length <= MOST_BYTES && kind.is_ascii_alphabetic()) {
        Some(length) => Ok(rest.get(..length).map(|body| {
            let body = body.to_vec();
            (Message { kind, body }, head.len() + length)
        })),
        None => {
            let start = received.get(..received.len().min(64)).unwrap_or_default();
            let start = String::from_utf8_lossy(start);
            let line = start.lines().next().unwrap_or_default();
            Err(format!(
                "its answer is none of a PostgreSQL: {}",
                excerpt(line)
            ))
        }
    }
}

/// What is sent at the end of a look.
pub fn goodbye() -> Vec<u8> {
    tagged(b'X', &[])
}

impl<'a> Session<'a> {
    /// `password` is the value of the check's secret; `nonce` must be unguessable, of letters and digits.
    pub fn new(check: &'a PostgresCheck, password: Option<&'a str>, nonce: String) -> Self {
        Self {
            check,
            password,
            nonce,
            phase: Phase::LoggingIn,
        }
    }

    /// What is sent first.
    pub fn begin(&self) -> Vec<u8> {
        let check = self.check;
        let mut body = VERSION.to_be_bytes().to_vec();
        for (name, value) in [
            ("user", check.user.as_str()),
            ("database", check.database.as_str()),
            ("application_name", "mainstay"),
            ("client_encoding", "UTF8"),
        ] {
            body.extend(text(name));
            body.extend(text(value));
        }
        body.push(0);
        with_length(&body)
    }

    /// Goes on by a message.
    pub fn take(&mut self, message: &Message) -> Step {
        let Message { kind, body } = message;
        match kind {
            b'R' => self.authenticate(body),
            b'E' => Step::End(self.judge_error(body)),
            // Settings, the key to cancel by, notices, what others notify, a lesser version.
            b'S' | b'K' | b'N' | b'A' | b'v' => Step::Wait,
            b'Z' if matches!(self.phase, Phase::LoggedIn) => {
                self.phase = Phase::Asked(None);
                Step::Send(tagged(b'Q', &text(&self.check.query)))
            }
            b'D' => match &mut self.phase {
                Phase::Asked(first) => {
                    first.get_or_insert_with(|| first_column(body));
                    Step::Wait
                }
                _ => out_of_turn(),
            },
            // What the rows have, that they are over, that there was nothing to do.
            b'T' | b'C' | b'I' if matches!(self.phase, Phase::Asked(_)) => Step::Wait,
            b'Z' => match &self.phase {
                Phase::Asked(first) => Step::End(judge_row(self.check, first.as_ref())),
                _ => out_of_turn(),
            },
            b'G' | b'H' | b'W' => {
                let why = "its query copies, which a check cannot";
                Step::End(Verdict::Refuses(why.to_owned()))
            }
            _ => out_of_turn(),
        }
    }

    fn authenticate(&mut self, body: &[u8]) -> Step {
        let Some((method, rest)) = body.split_first_chunk::<4>() else {
            return out_of_turn();
        };
        let method = u32::from_be_bytes(*method);
        let rest_as_text = String::from_utf8_lossy(rest);
        let refused = |why: &str| Step::End(Verdict::Refuses(why.to_owned()));
        match (method, &self.phase, self.password) {
            (0, Phase::LoggingIn, _) => {
                self.phase = Phase::LoggedIn;
                Step::Wait
            }
            // The last word of SCRAM has made it one that has logged in.
            (0, Phase::LoggedIn, _) => Step::Wait,
            (3 | 5 | 10, Phase::LoggingIn, None) => {
                refused("it asks for a password, and the check has none: write `password`")
            }
            (3, Phase::LoggingIn, _) => refused(
                "it asks for the password in plain text, which is never sent: write scram-sha-256 into its pg_hba.conf",
            ),
            (5, Phase::LoggingIn, Some(password)) => {
                let salt = rest.get(..4).unwrap_or_default();
                let known = md5_hex(format!("{password}{}", self.check.user).as_bytes());
                let digest = md5_hex(&[known.as_bytes(), salt].concat());
                Step::Send(tagged(b'p', &text(&format!("md5{digest}"))))
            }
            (10, Phase::LoggingIn, Some(_)) => {
                if !rest_as_text.split('\0').any(|known| known == MECHANISM) {
                    return refused("it takes no login by SCRAM-SHA-256");
                }
                // The user is that of the start.
                let login = Scram::new("", &self.nonce);
                let first = login.first();
                self.phase = Phase::Challenged(login);
                let body = [text(MECHANISM), with_own_length(first.as_bytes())].concat();
                Step::Send(tagged(b'p', &body))
            }
            (11, Phase::Challenged(login), Some(password)) => {
                match login.prove(&rest_as_text, password) {
                    Ok(proof) => {
                        let sent = tagged(b'p', proof.message.as_bytes());
                        self.phase = Phase::Proving(proof);
                        Step::Send(sent)
                    }
                    Err(why) => Step::End(Verdict::Fails(why.to_owned())),
                }
            }
            (12, Phase::Proving(proof), _) => {
                if !proof.is_answered_by(&rest_as_text) {
                    let why = "it does not know the password that it asks for: another server answers in its place";
                    return Step::End(Verdict::Fails(why.to_owned()));
                }
                self.phase = Phase::LoggedIn;
                Step::Wait
            }
            (6..=9, Phase::LoggingIn, _) => {
                refused("it asks for a login that a check cannot do: by GSSAPI, SSPI or the like")
            }
            _ => out_of_turn(),
        }
    }

    fn judge_error(&self, body: &[u8]) -> Verdict {
        let body = String::from_utf8_lossy(body);
        let field = |kind: char| {
            let mut fields = body.split('\0');
            fields.find_map(|field| field.strip_prefix(kind))
        };
        let code = field('C').unwrap_or_default();
        let said = format!(
            "it answered with {}: {}",
            excerpt(code),
            excerpt(field('M').unwrap_or_default())
        );
        match code {
            // It starts up, recovers from a crash, or shuts down.
            "57P03" => Verdict::NotReady(said),
            // It works for all whom it serves, and takes no one more.
            "53300" => Verdict::Warns(said),
            // A login that is refused, and what the user may not do.
            "28000" | "28P01" | "42501" => Verdict::Refuses(said),
            _ => Verdict::Fails(said),
        }
    }
}

fn out_of_turn() -> Step {
    let why = "it sent something that is no answer to what it was asked";
    Step::End(Verdict::Fails(why.to_owned()))
}

/// `first` is the first column of the first row, where there was one; none in it is NULL.
fn judge_row(check: &PostgresCheck, first: Option<&Option<String>>) -> Verdict {
    let Some(wanted) = &check.expects else {
        return Verdict::Good;
    };
    let found = match first {
        Some(Some(found)) if found == wanted => return Verdict::Good,
        Some(Some(found)) => format!("`{}`", excerpt(found)),
        Some(None) => "NULL".to_owned(),
        None => "no row".to_owned(),
    };
    Verdict::Fails(format!(
        "its query gave {found}, and has to give `{}`",
        excerpt(wanted)
    ))
}

/// Of a row; none is NULL, and a row without columns.
fn first_column(body: &[u8]) -> Option<String> {
    let (_, rest) = body.split_first_chunk::<2>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
    let column = rest.get(..length)?;
    Some(String::from_utf8_lossy(column).into_owned())
}

/// A text with its end.
fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

fn tagged(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(with_length(body));
    bytes
}

/// With a length that counts itself.
fn with_length(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [length.to_be_bytes().as_slice(), body].concat()
}

/// With a length that does not.
fn with_own_length(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [length.to_be_bytes().as_slice(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ServiceAddress;

    fn check(expects: Option<&str>) -> PostgresCheck {
        PostgresCheck {
            at: ServiceAddress::Tcp("127.0.0.1:5432".to_owned()),
            user: "bob".to_owned(),
            password: None,
            ca: None,
            database: "shop".to_owned(),
            query: "select 1".to_owned(),
            expects: expects.map(str::to_owned),
            warn_latency: None,
        }
    }

    fn says(kind: u8, body: &[u8]) -> Message {
        let body = body.to_vec();
        Message { kind, body }
    }

    fn asks(method: u32, rest: &[u8]) -> Message {
        says(b'R', &[method.to_be_bytes().as_slice(), rest].concat())
    }

    fn fails(code: &str) -> Message {
        says(b'E', format!("SFATAL\0C{code}\0Mas it says\0\0").as_bytes())
    }

    fn refuses(step: &Step) -> bool {
        matches!(step, Step::End(Verdict::Refuses(_)))
    }

    #[test]
    fn a_message_is_read_once_it_is_whole_and_what_is_none_is_said_to_be() {
        let ready = b"Z\0\0\0\x05I";
        for end in 0..ready.len() {
            assert_eq!(message(&ready[..end]), Ok(None), "{end}");
        }
        let two = [ready.as_slice(), b"E\0"].concat();
        assert_eq!(message(&two), Ok(Some((says(b'Z', b"I"), 6))));
        for bytes in [
            b"HTTP/1.1 400".as_slice(),
            b"SSH-2.0-x",
            b"Z\0\0\0\x03I",
            b"\0\0\0\0\x05I",
        ] {
            let error = message(bytes).unwrap_err();
            assert!(error.contains("none of a PostgreSQL"), "{error}");
        }
    }

    #[test]
    fn it_logs_in_without_a_password_asks_and_judges_the_first_column() {
        let begin = b"\0\0\0\x4f\0\x03\0\0user\0bob\0database\0shop\0application_name\0mainstay\0client_encoding\0UTF8\0\0";
        let row = says(b'D', b"\0\x01\0\0\0\x011");
        let null = says(b'D', b"\0\x01\xff\xff\xff\xff");
        let other = says(b'D', b"\0\x01\0\0\0\x012");
        for (expects, rows, expected) in [
            (None, vec![], None),
            (Some("1"), vec![&row, &other], None),
            (
                Some("1"),
                vec![&other, &row],
                Some("gave `2`, and has to give `1`"),
            ),
            (Some("1"), vec![&null, &row], Some("gave NULL")),
            (Some("1"), vec![], Some("gave no row")),
        ] {
            let check = check(expects);
            let mut session = Session::new(&check, None, String::new());
            let begun = session.begin();
            assert_eq!(begun, begin, "{}", String::from_utf8_lossy(&begun));
            assert_eq!(session.take(&asks(0, b"")), Step::Wait);
            assert_eq!(session.take(&says(b'S', b"a\0b\0")), Step::Wait);
            let query = b"Q\0\0\0\x0dselect 1\0".to_vec();
            assert_eq!(session.take(&says(b'Z', b"I")), Step::Send(query));
            assert_eq!(session.take(&says(b'T', b"")), Step::Wait);
            for row in rows {
                assert_eq!(session.take(row), Step::Wait);
            }
            assert_eq!(session.take(&says(b'C', b"SELECT 1\0")), Step::Wait);
            match (session.take(&says(b'Z', b"I")), expected) {
                (Step::End(Verdict::Good), None) => {}
                (Step::End(Verdict::Fails(why)), Some(words)) if why.contains(words) => {}
                seen => panic!("{seen:?}"),
            }
        }
    }

    #[test]
    fn a_password_goes_as_a_digest_or_a_proof_and_never_in_plain_text() {
        let check = check(None);
        let session = |password| Session::new(&check, password, "nonce".to_owned());
        let digest = session(Some("secret")).take(&asks(5, &[1, 2, 3, 4]));
        let expected = b"p\0\0\0\x28md5f21dfe33ff3a9e03dbc3e008251fe5cc\0".to_vec();
        assert_eq!(digest, Step::Send(expected));
        for (password, asked) in [
            (None, asks(5, &[1, 2, 3, 4])),
            (None, asks(10, b"SCRAM-SHA-256\0\0")),
            (Some("secret"), asks(3, b"")),
            (Some("secret"), asks(7, b"")),
            (Some("secret"), asks(10, b"SCRAM-SHA-256-PLUS\0\0")),
        ] {
            let step = session(password).take(&asked);
            assert!(refuses(&step), "{step:?}");
        }
    }

    #[test]
    fn in_scram_only_who_has_proven_to_know_the_password_is_believed() {
        let check = check(None);
        let begun = || {
            let mut session = Session::new(&check, Some("secret"), "nonce".to_owned());
            let first = session.take(&asks(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"));
            let expected = b"p\0\0\0\x23SCRAM-SHA-256\0\0\0\0\x0dn,,n=,r=nonce".to_vec();
            assert_eq!(first, Step::Send(expected));
            session
        };
        let proven = || {
            let mut session = begun();
            let step = session.take(&asks(11, b"r=nonce-theirs,s=W22Z,i=1"));
            assert!(matches!(step, Step::Send(_)), "{step:?}");
            session
        };
        let is_failed = |step: Step| matches!(step, Step::End(Verdict::Fails(_)));
        assert!(
            is_failed(begun().take(&asks(0, b""))),
            "it has proven nothing"
        );
        assert!(is_failed(proven().take(&asks(0, b""))), "nor has this one");
        assert!(
            is_failed(proven().take(&asks(12, b"v=AAAA"))),
            "this one lies"
        );
        assert!(is_failed(begun().take(&asks(11, b"r=theirs,s=W22Z,i=1"))));
        let refused = proven().take(&fails("28P01"));
        assert!(refuses(&refused), "{refused:?}");
    }

    #[test]
    fn what_it_says_of_itself_is_told_by_its_code() {
        let check = check(None);
        let judged = |code| match Session::new(&check, None, String::new()).take(&fails(code)) {
            Step::End(verdict) => verdict,
            step => panic!("{step:?}"),
        };
        let said = |code: &str| format!("it answered with {code}: as it says");
        for (code, expected) in [
            ("57P03", Verdict::NotReady(said("57P03"))),
            ("53300", Verdict::Warns(said("53300"))),
            ("28000", Verdict::Refuses(said("28000"))),
            ("3D000", Verdict::Fails(said("3D000"))),
            ("57P01", Verdict::Fails(said("57P01"))),
        ] {
            assert_eq!(judged(code), expected);
        }
    }
}
