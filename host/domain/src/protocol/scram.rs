//! SCRAM-SHA-256 without channel binding [RFC 5802, RFC 7677]: who asks proves that it knows a password, and so does who
//! answers, and neither sends it.
//!
//! A password is taken as it is: one that is no ASCII may have to be written in Unicode's form NFKC.

use super::hmac::{Hmac, pbkdf2, xor};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

/// What the server may ask for; PostgreSQL asks for 4,096. More would hold up the host for long.
const MOST_ROUNDS: u32 = 100_000;
/// The base64 of `n,,`: no channel binding.
const NO_BINDING: &str = "biws";

/// A login that has begun.
pub(super) struct Scram {
    bare: String,
    nonce: String,
}

/// The proof that the password is known, and what the server has to answer.
pub(super) struct Proof {
    /// To be sent.
    pub(super) message: String,
    expected: String,
}

impl Scram {
    /// `nonce` must be of printable ASCII without commas, and never used before.
    pub(super) fn new(user: &str, nonce: &str) -> Self {
        Self {
            bare: format!("n={user},r={nonce}"),
            nonce: nonce.to_owned(),
        }
    }

    /// What is sent first.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// The answer to what the server sent. The error says what is wrong with that.
    pub(super) fn prove(&self, challenge: &str, password: &str) -> Result<Proof, &'static str> {
        let of = |name: &str| {
            let mut parts = challenge.split(',');
            parts.find_map(|part| part.strip_prefix(name))
        };
        let parts = (of("r="), of("s="), of("i="));
        let (Some(nonce), Some(salt), Some(rounds)) = parts else {
            return Err("its challenge is incomplete");
        };
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("its challenge is none to this login");
        }
        let salt = STANDARD.decode(salt);
        let salt = salt.map_err(|_| "the salt of its challenge is no base64")?;
        let rounds = rounds.parse::<u32>().unwrap_or_default();
        if !(1..=MOST_ROUNDS).contains(&rounds) {
            return Err("it asks for no rounds of hashing, or for more than 100000");
        }
        let key = Hmac::new(&pbkdf2(password.as_bytes(), &salt, rounds));
        let client = key.of(b"Client Key");
        let stored: [u8; 32] = Sha256::digest(client).into();
        let unproven = format!("c={NO_BINDING},r={nonce}");
        let signed = format!("{},{challenge},{unproven}", self.bare);
        let proof = xor(client, Hmac::new(&stored).of(signed.as_bytes()));
        let server = Hmac::new(&key.of(b"Server Key")).of(signed.as_bytes());
        Ok(Proof {
            message: format!("{unproven},p={}", STANDARD.encode(proof)),
            expected: format!("v={}", STANDARD.encode(server)),
        })
    }
}

impl Proof {
    /// Whether the server knows the password too.
    pub(super) fn is_answered_by(&self, last: &str) -> bool {
        last.split(',').next() == Some(self.expected.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn both_sides_prove_what_the_example_of_rfc_7677_proves() {
        let login = Scram::new("user", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(login.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let proof = login.prove(CHALLENGE, "pencil").unwrap();
        assert_eq!(
            proof.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(proof.is_answered_by("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!proof.is_answered_by("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
        assert!(!proof.is_answered_by(""));
    }

    #[test]
    fn a_challenge_that_is_none_is_not_answered() {
        let login = Scram::new("user", "rOprNGfwEbeRWgbNEkqO");
        for challenge in [
            "",
            "r=rOprNGfwEbeRWgbNEkqO%x,s=W22Z",
            "r=other,s=W22Z,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO%x,s=*,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO%x,s=W22Z,i=0",
            "r=rOprNGfwEbeRWgbNEkqO%x,s=W22Z,i=4294967295",
        ] {
            assert!(login.prove(challenge, "pencil").is_err(), "{challenge}");
        }
    }
}
