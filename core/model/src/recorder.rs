//! Writes an engine's behaviour down as few bytes: what is hashed is not mixed but kept, so that two engines
//! are the same exactly when their records are.

use crate::tree;
use core::hash::Hasher;

/// Takes the place of a hasher.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) bytes: Vec<u8>,
    /// Every block that was written.
    pub(crate) blocks: u64,
}

impl Recorder {
    fn number(&mut self, mut number: u64) {
        while number > 127 {
            self.bytes.push(u8::try_from(number & 127).expect("seven bits fit in a byte") | 128);
            number >>= 7;
        }
        self.bytes.push(u8::try_from(number).expect("seven bits fit in a byte"));
    }
}

impl Hasher for Recorder {
    fn finish(&self) -> u64 {
        unreachable!("a recorder keeps everything and mixes nothing")
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(id) = tree::id_of_hash(bytes) {
            self.blocks |= 1 << id;
            self.bytes.push(id);
        } else if bytes.len() < 48 {
            self.bytes.extend(bytes);
        } // Longer ones are signatures, which follow from what they sign.
    }

    fn write_u8(&mut self, number: u8) {
        self.number(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.number(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.number(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.number(number);
    }

    fn write_u128(&mut self, number: u128) {
        let low = u64::try_from(number & u128::from(u64::MAX)).expect("masked to 64 bits");
        self.number(low);
        self.number(u64::try_from(number >> 64).expect("64 bits are left"));
    }

    fn write_usize(&mut self, number: usize) {
        self.number(u64::try_from(number).expect("a usize fits in a u64"));
    }
}
