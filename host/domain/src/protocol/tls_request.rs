//! How a PostgreSQL is asked for TLS, before anything else is said to it.

use super::Verdict;

/// What is sent: a length that counts itself, and the number that stands for the wish.
pub const REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What the one byte means that it answers with: where it is good, TLS begins.
pub fn judge(answer: u8) -> Verdict {
    match answer {
        b'S' => Verdict::Good,
        b'N' => Verdict::Fails("it takes no TLS: `ssl` is off in its postgresql.conf".to_owned()),
        _ => {
            let why = "its answer to the wish for TLS is none of a PostgreSQL";
            Verdict::Fails(why.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_begins_by_an_s_alone() {
        let number = u32::from_be_bytes([REQUEST[4], REQUEST[5], REQUEST[6], REQUEST[7]]);
        assert_eq!(number, (1234 << 16) | 5679);
        for answer in 0..=u8::MAX {
            let is_good = judge(answer) == Verdict::Good;
            assert_eq!(is_good, answer == b'S', "{answer}");
        }
        let Verdict::Fails(why) = judge(b'N') else {
            panic!("it takes none");
        };
        assert!(why.contains("takes no TLS"), "{why}");
    }
}
