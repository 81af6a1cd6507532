//! gzip (RFC 1952) and zlib (RFC 1950) streams as Node's `zlib` takes them, through one window of 32 KiB.

use std::ops::ControlFlow;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_COMPUTE_ADLER32, TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_PARSE_ZLIB_HEADER,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::crc32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Gzip,
    Zlib,
}

pub(super) struct Inflate {
    format: Format,
    stage: Stage,
    decompressor: Box<DecompressorOxide>,
    window: Box<[u8]>,
    /// Where the next byte goes.
    at: usize,
    /// Of the member so far.
    crc: crc32::Crc32,
    bytes: u32,
}

enum Stage {
    Header(Header),
    Deflate,
    /// How many of the 8 bytes of length and checksum have passed.
    Trailer(usize),
    /// A whole member was there. What follows it may be another.
    Between,
    /// What follows is no matter.
    Over,
    Broken,
}

/// The fields of a gzip header that are still to come.
struct Header {
    /// Where in the field.
    at: usize,
    field: Field,
    flags: u8,
    extra_bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Fixed,
    ExtraLength,
    Extra,
    Name,
    Comment,
    Checksum,
}

const WINDOW_BYTES: usize = 32_768;
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const FIXED_BYTES: usize = 10;
const FLAGS_AT: usize = 3;
const FLAG_CHECKSUM: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;
const FLAGS_RESERVED: u8 = 0xe0;

impl Inflate {
    pub(super) fn new(format: Format) -> Inflate {
        Inflate {
            format,
            stage: match format {
                Format::Gzip => Stage::Header(Header::new()),
                Format::Zlib => Stage::Deflate,
            },
            decompressor: Box::new(DecompressorOxide::new()),
            window: vec![0; WINDOW_BYTES].into_boxed_slice(),
            at: 0,
            crc: crc32::Crc32::new(),
            bytes: 0,
        }
    }

    /// Gives `sink` what comes out, until it has enough. Breaks when nothing that follows can change the outcome.
    pub(super) fn take(&mut self, mut bytes: &[u8], sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
        while !bytes.is_empty() {
            match &mut self.stage {
                Stage::Header(header) => {
                    self.stage = match header.take(bytes[0]) {
                        ControlFlow::Continue(()) => {
                            bytes = &bytes[1..];
                            continue;
                        }
                        ControlFlow::Break(true) => Stage::Deflate,
                        ControlFlow::Break(false) => Stage::Broken,
                    };
                    bytes = &bytes[1..];
                }
                Stage::Deflate => bytes = self.inflate(bytes, sink)?,
                Stage::Trailer(passed) => {
                    let trailer = u64::from(self.crc.value()) | u64::from(self.bytes) << 32;
                    let is_good = trailer.to_le_bytes()[*passed] == bytes[0];
                    self.stage = match *passed {
                        _ if !is_good => Stage::Broken,
                        7 => Stage::Between,
                        passed => Stage::Trailer(passed + 1),
                    };
                    bytes = &bytes[1..];
                }
                // Zeros are padding.
                Stage::Between if bytes[0] == 0 => self.stage = Stage::Over,
                Stage::Between => {
                    self.stage = Stage::Header(Header::new());
                    self.decompressor.init();
                    self.crc = crc32::Crc32::new();
                    self.bytes = 0;
                }
                Stage::Over | Stage::Broken => return ControlFlow::Break(()),
            }
        }
        ControlFlow::Continue(())
    }

    pub(super) fn is_whole(&self) -> bool {
        matches!(self.stage, Stage::Between | Stage::Over)
    }

    /// What is left of the input after some of it was inflated.
    fn inflate<'a>(
        &mut self,
        bytes: &'a [u8],
        sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<(), &'a [u8]> {
        let flags = match self.format {
            Format::Gzip => TINFL_FLAG_HAS_MORE_INPUT,
            Format::Zlib => TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_COMPUTE_ADLER32,
        };
        let mut rest = bytes;
        loop {
            let (status, read, written) = decompress(&mut self.decompressor, rest, &mut self.window, self.at, flags);
            rest = &rest[read..];
            let inflated = &self.window[self.at..self.at + written];
            self.at = (self.at + written) % WINDOW_BYTES;
            if self.format == Format::Gzip {
                self.crc.update(inflated);
                self.bytes = self.bytes.wrapping_add(u32::try_from(written).expect("no more than the window"));
            }
            sink(inflated)?;
            match status {
                // The window is full; there may be more even if all input was read.
                TINFLStatus::HasMoreOutput => continue,
                TINFLStatus::NeedsMoreInput => {}
                TINFLStatus::Done if self.format == Format::Gzip => self.stage = Stage::Trailer(0),
                TINFLStatus::Done => self.stage = Stage::Over,
                _ => self.stage = Stage::Broken,
            }
            return ControlFlow::Continue(rest);
        }
    }
}

impl Header {
    fn new() -> Header {
        Header { at: 0, field: Field::Fixed, flags: 0, extra_bytes: 0 }
    }

    /// Breaks at the last byte of the header, with whether it is good. Its own checksum is not checked.
    fn take(&mut self, byte: u8) -> ControlFlow<bool> {
        let at = self.at;
        self.at += 1;
        let is_last = match self.field {
            Field::Fixed => {
                if MAGIC.get(at).is_some_and(|&magic| magic != byte) {
                    return ControlFlow::Break(false);
                }
                if at == FLAGS_AT {
                    self.flags = byte;
                }
                self.at == FIXED_BYTES
            }
            Field::ExtraLength => {
                self.extra_bytes |= usize::from(byte) << (8 * at);
                at == 1
            }
            Field::Extra => self.at == self.extra_bytes,
            Field::Name | Field::Comment => byte == 0,
            Field::Checksum => at == 1,
        };
        if self.flags & FLAGS_RESERVED != 0 {
            return ControlFlow::Break(false);
        }
        if is_last {
            self.at = 0;
            match self.following() {
                Some(field) => self.field = field,
                None => return ControlFlow::Break(true),
            }
        }
        ControlFlow::Continue(())
    }

    fn following(&self) -> Option<Field> {
        let fields = [
            (Field::Fixed, true),
            (Field::ExtraLength, self.flags & FLAG_EXTRA != 0),
            (Field::Extra, self.extra_bytes > 0),
            (Field::Name, self.flags & FLAG_NAME != 0),
            (Field::Comment, self.flags & FLAG_COMMENT != 0),
            (Field::Checksum, self.flags & FLAG_CHECKSUM != 0),
        ];
        let behind = fields.iter().skip_while(|(field, _)| *field != self.field).skip(1);
        behind.filter(|(_, is_there)| *is_there).map(|(field, _)| *field).next()
    }
}
