//! Sends frames that are none: votes and certificates that it heard, cut short, with bytes behind them, with a bit
//! flipped, and noise. Besides that it is honest.

use super::{Behaviour, Powers};
use phalanx_types::{Bytes, Message, OperatorIndex, Wire};

/// Frames to each operator in each tick.
const FRAMES_PER_TICK: usize = 4;
/// What is put behind a frame, at most. Unit: bytes.
const BEHIND_BYTES_MAX: usize = 4_096;

/// See the module's page.
#[derive(Debug, Default)]
pub struct DamagedFrames {
    /// The newest vote or certificate that it heard.
    heard: Option<Bytes>,
}

impl Behaviour for DamagedFrames {
    fn receive(&mut self, _: &mut Powers<'_>, _: OperatorIndex, message: &Message, _: &mut Vec<super::Sending>) {
        if matches!(message, Message::Vote(_) | Message::Certificate(_)) {
            self.heard = Some(message.to_wire().into());
        }
    }

    fn frames(&mut self, powers: &mut Powers<'_>, out: &mut Vec<(OperatorIndex, Bytes)>) {
        let Some(heard) = &self.heard else { return };
        let others: Vec<OperatorIndex> = powers.others().collect();
        for to in others {
            for _ in 0..FRAMES_PER_TICK {
                out.push((to, damaged(powers, heard)));
            }
        }
    }
}

fn damaged(powers: &mut Powers<'_>, frame: &Bytes) -> Bytes {
    let mut bytes = frame.to_vec();
    match powers.random.between(0, 3) {
        0 => bytes.truncate(powers.random.index(bytes.len())),
        1 => bytes.resize(bytes.len() + 1 + powers.random.index(BEHIND_BYTES_MAX), 0xA5),
        2 => {
            let bit = powers.random.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        _ => bytes.iter_mut().for_each(|byte| *byte = powers.random.number().to_le_bytes()[0]),
    }
    bytes.into()
}
