//! MD5 [RFC 1321], for the passwords of servers that ask for nothing better.

use crate::hex;

/// The integer part of 2³² times the sine of the number of each round, in radians.
const SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501,
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821,
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8,
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a,
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70,
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665,
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1,
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];
/// By how much the sum of a round is turned, by its pass and its place in it.
const TURNS: [[u32; 4]; 4] = [
    [7, 12, 17, 22],
    [5, 9, 14, 20],
    [4, 11, 16, 23],
    [6, 10, 15, 21],
];
const BLOCK: usize = 64;

/// The digest in hexadecimal.
pub(super) fn md5_hex(bytes: &[u8]) -> String {
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    while padded.len() % BLOCK != BLOCK - 8 {
        padded.push(0);
    }
    let bits = u64::try_from(bytes.len())
        .unwrap_or(u64::MAX)
        .wrapping_mul(8);
    padded.extend_from_slice(&bits.to_le_bytes());
    let start = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let digest = padded.chunks_exact(BLOCK).fold(start, add);
    hex::encode(digest.map(u32::to_le_bytes).as_flattened())
}

fn add(digest: [u32; 4], block: &[u8]) -> [u32; 4] {
    let words: Vec<u32> = block
        .chunks_exact(4)
        .filter_map(|four| Some(u32::from_le_bytes(four.try_into().ok()?)))
        .collect();
    let [mut a, mut b, mut c, mut d] = digest;
    for (round, sine) in SINES.into_iter().enumerate() {
        let pass = round / 16;
        let (mixed, word) = match pass {
            0 => ((b & c) | (!b & d), round),
            1 => ((d & b) | (!d & c), 5 * round + 1),
            2 => (b ^ c ^ d, 3 * round + 5),
            _ => (c ^ (b | !d), 7 * round),
        };
        let word = words.get(word % 16).copied().unwrap_or_default();
        let turn = TURNS.get(pass).and_then(|turns| turns.get(round % 4));
        let sum = a.wrapping_add(mixed).wrapping_add(sine).wrapping_add(word);
        let turned = sum.rotate_left(turn.copied().unwrap_or_default());
        (a, d, c, b) = (d, c, b, b.wrapping_add(turned));
    }
    let [w, x, y, z] = digest;
    [
        w.wrapping_add(a),
        x.wrapping_add(b),
        y.wrapping_add(c),
        z.wrapping_add(d),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_are_those_of_the_standard() {
        let eighty = "12345678901234567890".repeat(4);
        for (text, expected) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (eighty.as_str(), "57edf4a22be3c955ac49da2e2107b67a"),
        ] {
            assert_eq!(md5_hex(text.as_bytes()), expected, "{text}");
        }
        // About the end of a block, where the padding begins another one.
        for (length, expected) in [
            (55, "ef1772b6dff9a122358552954ad0df65"),
            (56, "3b0c8ac703f828b04c6c197006d17218"),
            (64, "014842d480b571495a4a0363793f7367"),
        ] {
            assert_eq!(md5_hex(&vec![b'a'; length]), expected, "{length}");
        }
    }
}
