//! Which letters a name has, in eight bytes: most names that are about something else are told by that alone.

/// Bits of the characters of a folded text: one for each letter and each digit; all others share the rest.
pub(super) fn letters(text: &str) -> u64 {
    text.chars().fold(0, |bits, c| bits | 1 << place(c))
}

fn place(c: char) -> u32 {
    const OTHERS: u32 = 36;
    let code = u32::from(c);
    match c {
        'a'..='z' => code - u32::from('a'),
        '0'..='9' => 26 + code - u32::from('0'),
        _ => OTHERS + code % (u64::BITS - OTHERS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_digits_have_bits_of_their_own_and_everything_has_one() {
        let own: Vec<u64> =
            ('a'..='z').chain('0'..='9').map(|c| letters(c.encode_utf8(&mut [0; 4]))).collect();
        assert_eq!(own.iter().fold(0, |all, one| all | one).count_ones(), 36);
        for text in [" ", "ß", "写", "\u{10ffff}", "_"] {
            let bits = letters(text);
            assert_eq!(bits.count_ones(), 1, "{text}");
            assert!(own.iter().all(|own| own & bits == 0), "{text}");
        }
        assert_eq!(letters("abba"), letters("ab"));
        assert_eq!(letters(""), 0);
    }
}
