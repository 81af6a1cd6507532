//! CRC-32 (IEEE 802.3), bit by bit: the tables of a crate are bigger than all that is checked with it here.

pub(crate) struct Crc32(u32);

impl Crc32 {
    pub(crate) fn new() -> Crc32 {
        Crc32(u32::MAX)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 ^= u32::from(byte);
            for _ in 0..8 {
                self.0 = if self.0 & 1 == 1 { self.0 >> 1 ^ 0xedb8_8320 } else { self.0 >> 1 };
            }
        }
    }

    pub(crate) fn value(&self) -> u32 {
        !self.0
    }
}
