//! Randomness of the operating system.

/// A new key, cryptographically random.
///
/// # Errors
/// The system has none to give.
pub fn key<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut key = [0; N];
    let filled = rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty())?;
    if filled < N {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(key)
}
