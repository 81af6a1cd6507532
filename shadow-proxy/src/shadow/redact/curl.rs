//! A shown call as a command line to paste, with a variable for each secret that a person must fill in.

use super::ShownCall;
use super::stand_in::{CLOSE, OPEN};

/// For a POSIX shell. Equal stand-ins are the same `$SECRET_n`, numbered in the order they appear. `base` is scheme
/// and authority of the service to ask.
pub(crate) fn curl(call: &ShownCall, base: &str) -> String {
    let ShownCall { method, path, headers, body } = call;
    let mut secrets = Secrets::default();
    let mut command = "curl --include --path-as-is --globoff".to_owned();
    command.push_str(&match method.as_str() {
        "GET" if body.is_empty() => String::new(),
        // With `--request HEAD` curl would wait for a body that never comes.
        "HEAD" => " --head".to_owned(),
        method => format!(" --request {}", secrets.quoted(method)),
    });
    command.push_str(&format!(" {}", secrets.quoted(&format!("{}{path}", base.trim_end_matches('/')))));
    for (name, value) in headers.iter().filter(|(name, _)| !SET_BY_CURL.contains(&name.as_str())) {
        // `name:` would take the header away.
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        command.push_str(&format!(" --header {}", secrets.quoted(&header)));
    }
    if !body.is_empty() {
        if !headers.iter().any(|(name, _)| name == "content-type") {
            command.push_str(" --header content-type:");
        }
        let shown = if body.len() <= BODY_BYTES_MAX { secrets.quoted(body) } else { "\"$BODY\"".to_owned() };
        command.push_str(&format!(" --data-raw {shown}"));
    }
    command
}

#[derive(Default)]
struct Secrets {
    known: Vec<String>,
}

impl Secrets {
    /// As one word of a shell: in double quotes where nothing else is special in them, else each text in single quotes
    /// and the variables between.
    fn quoted(&mut self, text: &str) -> String {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, stand_in, after)) = next_stand_in(rest) {
            parts.push((literal, self.number(stand_in)));
            rest = after;
        }
        if parts.is_empty() {
            return if rest.is_empty() { "''".to_owned() } else { single_quoted(rest) };
        }
        let is_plain = |text: &str| !text.contains(['"', '$', '`', '\\', '!']);
        if parts.iter().all(|(literal, _)| is_plain(literal)) && is_plain(rest) {
            let inside: String =
                parts.iter().map(|(literal, number)| format!("{literal}${{SECRET_{number}}}")).collect();
            return format!("\"{inside}{rest}\"");
        }
        let quoted: String =
            parts.iter().map(|(literal, number)| format!("{}\"$SECRET_{number}\"", single_quoted(literal))).collect();
        quoted + &single_quoted(rest)
    }

    fn number(&mut self, stand_in: &str) -> usize {
        let known = self.known.iter().position(|known| known == stand_in);
        let index = known.unwrap_or_else(|| {
            self.known.push(stand_in.to_owned());
            self.known.len() - 1
        });
        index + 1
    }
}

/// What stands before the first stand-in, the stand-in, and what stands after it.
fn next_stand_in(text: &str) -> Option<(&str, &str, &str)> {
    let (literal, from_open) = text.split_at(text.find(OPEN)?);
    let (stand_in, after) = from_open.split_at(from_open.find(CLOSE)? + CLOSE.len_utf8());
    Some((literal, stand_in, after))
}

/// In single quotes, unless no shell would see anything in it but a word.
fn single_quoted(text: &str) -> String {
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:,@%+".contains(&byte));
    if is_word { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Longer bodies are a variable too: a command line is to be read.
const BODY_BYTES_MAX: usize = 256;

/// Of the connection or the program that the call came by, not of the call; curl makes its own.
const SET_BY_CURL: [&str; 6] = ["connection", "content-length", "expect", "host", "transfer-encoding", "user-agent"];
