//! Bytes that are written into JSON records.

use crate::hex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes. In JSON a string where they are UTF-8, else `{"hex": "…"}`; exact in both forms.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Blob(pub Vec<u8>);

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Hex { hex: String },
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match std::str::from_utf8(&self.0) {
            Ok(text) => Form::Text(text.to_owned()),
            Err(_) => Form::Hex {
                hex: hex::encode(&self.0),
            },
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Text(text) => Ok(Self(text.into_bytes())),
            Form::Hex { hex: digits } => hex::decode(&digits)
                .map(Self)
                .ok_or_else(|| serde::de::Error::custom("not pairs of hexadecimal digits")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_json_exactly() {
        for bytes in [
            b"".to_vec(),
            b"plain".to_vec(),
            vec![0, 255, 16],
            "ä".as_bytes().to_vec(),
        ] {
            let json = serde_json::to_string(&Blob(bytes.clone())).unwrap();
            assert_eq!(
                serde_json::from_str::<Blob>(&json).unwrap().0,
                bytes,
                "{json}"
            );
        }
    }
}
