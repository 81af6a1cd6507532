//! A text inside another that spells it: `%40` in a path, `\u0040` in JSON. What stands for it is spelled in the same way.

/// A text in `%XX`. Where a percent sign begins none it is itself, and what follows it stays broken.
pub(super) fn percent(raw: &str, other: impl Fn(&str) -> String, other_bytes: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let (mut bytes, mut encoded) = (Vec::with_capacity(raw.len()), Vec::with_capacity(raw.len()));
    let mut rest = raw.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let byte = after.get(..2).filter(|_| first == b'%').and_then(hex_byte);
        bytes.push(byte.unwrap_or(first));
        encoded.push(byte.is_some());
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    let mut stand_in = match std::str::from_utf8(&bytes) {
        Ok(text) => other(text).into_bytes(),
        Err(_) => other_bytes(&bytes),
    };
    // No letters that follow a lone sign may make a sequence of it.
    for at in (0..bytes.len()).filter(|&at| bytes[at] == b'%' && !encoded[at]) {
        if let Some(after) = stand_in.get_mut(at + 1..at + 3)
            && hex_byte(after).is_some()
        {
            after.fill(b'z');
        }
    }
    let mut spelled = String::with_capacity(raw.len());
    for (at, byte) in stand_in.iter().enumerate() {
        let is_encoded = stand_in.len() == bytes.len() && encoded[at];
        if is_encoded || !byte.is_ascii() {
            spelled.push_str(&format!("%{byte:02X}"));
        } else {
            spelled.push(char::from(*byte));
        }
    }
    spelled
}

/// What stands between the quotes of a JSON string.
pub(super) fn escaped(raw: &str, other: impl Fn(&str) -> String) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut spellings = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(first) = rest.chars().next() {
        let (c, length) = escape(rest).unwrap_or((first, first.len_utf8()));
        text.push(c);
        spellings.push(&rest[..length]);
        rest = &rest[length..];
    }
    let stand_in = other(&text);
    if stand_in.chars().count() != spellings.len() {
        let quoted = serde_json::Value::from(stand_in).to_string();
        return quoted[1..quoted.len() - 1].to_owned();
    }
    let mut spelled = String::with_capacity(raw.len());
    for ((before, after), spelling) in text.chars().zip(stand_in.chars()).zip(spellings) {
        if before == after {
            spelled.push_str(spelling);
        } else if spelling.starts_with("\\u") {
            let mut units = [0; 2];
            after.encode_utf16(&mut units).iter().for_each(|unit| spelled.push_str(&format!("\\u{unit:04x}")));
        } else {
            spelled.push(after);
        }
    }
    spelled
}

/// The text that a JSON string spells.
pub(super) fn unescaped(raw: &str) -> String {
    let text = std::cell::RefCell::new(String::new());
    escaped(raw, |plain| {
        plain.clone_into(&mut text.borrow_mut());
        plain.to_owned()
    });
    text.into_inner()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

/// The character an escape stands for, and how long the escape is.
fn escape(text: &str) -> Option<(char, usize)> {
    let kind = text.strip_prefix('\\')?.chars().next()?;
    let simple = match kind {
        '"' | '\\' | '/' => Some(kind),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        _ => None,
    };
    if let Some(c) = simple {
        return Some((c, 2));
    }
    let unit = |from: usize| {
        let digits = text.get(from..from + 6)?.strip_prefix("\\u")?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let first = unit(0)?;
    if let Some(c) = char::from_u32(u32::from(first)) {
        return Some((c, 6));
    }
    let pair = char::decode_utf16([first, unit(6)?]).next()?.ok()?;
    Some((pair, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upper(text: &str) -> String {
        text.to_ascii_uppercase()
    }

    #[test]
    fn what_was_spelled_is_spelled_again() {
        for (raw, expected) in [
            ("abc", "ABC"),
            ("a%40b%2fc", "A%40B%2FC"),
            ("%61b", "%41B"),
            ("%C3%A9", "%C3%A9"),
            ("100%", "100%"),
            ("a%ffb", "?%3F?"),
        ] {
            assert_eq!(percent(raw, upper, |bytes| vec![b'?'; bytes.len()]), expected, "{raw}");
        }
        // `%` that begins nothing still begins nothing.
        assert!(!percent("a%zz", |_| "a%ab".to_owned(), <[u8]>::to_vec).contains("%ab"));
        for (raw, expected) in [
            ("abc", "ABC"),
            (r#"a\"b\n"#, r#"A\"B\n"#),
            (r"\u0061\/", r"\u0041\/"),
            (r"\ud83d\ude00x", r"\ud83d\ude00X"),
            (r"\ud83dx\q", r"\UD83DX\Q"),
        ] {
            assert_eq!(escaped(raw, upper), expected, "{raw}");
        }
        assert_eq!(escaped(r"\u0061b", |_| "longer\"".to_owned()), r#"longer\""#);
        assert_eq!(unescaped(r"\u0061\tb"), "a\tb");
    }
}
