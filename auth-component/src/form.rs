//! `application/x-www-form-urlencoded`, in a query or a body, read without guessing.

/// A form without a fault, as sent. Its parameters are decoded when one is asked for, one at a time: a body of nothing but
/// names takes no more memory than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form<'a>(&'a [u8]);

/// The form breaks a rule: an escape without two hex digits, no UTF-8, or a parameter twice where one is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FormDefect;

impl Form<'_> {
    pub(crate) fn parse(text: &[u8]) -> Result<Form<'_>, FormDefect> {
        for (name, value) in parameters(text) {
            decode(name)?;
            decode(value)?;
        }
        Ok(Form(text))
    }

    /// The value of a parameter that may be there once.
    pub(crate) fn once(&self, name: &str) -> Result<Option<String>, FormDefect> {
        let mut values = parameters(self.0).filter(|(own, _)| is_name(own, name));
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some((_, value)), None) => decode(value).map(Some),
            (Some(_), Some(_)) => Err(FormDefect),
        }
    }
}

/// Whether a query, of whose other parameters nothing is asked, has this one.
pub(crate) fn names(query: &str, name: &str) -> bool {
    parameters(query.as_bytes()).any(|(own, _)| is_name(own, name))
}

/// Writes a value as it stands in a form.
#[cfg(feature = "introspection")]
pub(crate) fn encode(value: &str, form: &mut String) {
    use std::fmt::Write;

    for byte in value.bytes() {
        match byte {
            b'*' | b'-' | b'.' | b'_' => form.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => form.push(char::from(byte)),
            b' ' => form.push('+'),
            _ => write!(form, "%{byte:02X}").expect("a String takes everything"),
        }
    }
}

/// Names and values as sent.
fn parameters(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let parameters = text.split(|&byte| byte == b'&').filter(|parameter| !parameter.is_empty());
    parameters.map(|parameter| {
        let end = parameter.iter().position(|&byte| byte == b'=').unwrap_or(parameter.len());
        (&parameter[..end], parameter.get(end + 1..).unwrap_or_default())
    })
}

fn is_name(text: &[u8], name: &str) -> bool {
    decode(text).is_ok_and(|own| own == name)
}

fn decode(text: &[u8]) -> Result<String, FormDefect> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => nibble(rest.next())? << 4 | nibble(rest.next())?,
            _ => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| FormDefect)
}

fn nibble(digit: Option<&u8>) -> Result<u8, FormDefect> {
    let value = digit.and_then(|&digit| char::from(digit).to_digit(16)).ok_or(FormDefect)?;
    u8::try_from(value).map_err(|_| FormDefect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_and_refuses() {
        let form = Form::parse(b"a=b+c&%61%62=%E2%82%AC%2b&&flag&x==1&x=2").expect("a good form");
        assert_eq!(form.once("a"), Ok(Some("b c".to_owned())));
        assert_eq!(form.once("ab"), Ok(Some("\u{20ac}+".to_owned())));
        assert_eq!(form.once("flag"), Ok(Some(String::new())));
        assert_eq!(form.once("none"), Ok(None));
        assert_eq!(form.once("x"), Err(FormDefect));
        assert_eq!(Form::parse(b""), Ok(Form(b"")));
        for bad in [b"a=%".as_slice(), b"a=%4", b"%zz=1", b"a=%+1", b"a=%ff", b"\xff=1"] {
            assert_eq!(Form::parse(bad), Err(FormDefect), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn finds_a_name_beside_broken_ones() {
        assert!(names("x=%&access_token=1", "access_token") && names("access%5Ftoken", "access_token"));
        assert!(!names("access_token_=1&x=access_token", "access_token") && !names("", "access_token"));
    }
}
