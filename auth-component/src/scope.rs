//! What a credential allows, by name.

/// Whether the text is one scope (RFC 6749 §3.3): visible ASCII without `"` and `\`, not empty.
pub fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}
