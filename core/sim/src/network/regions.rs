//! Real latencies between ten regions of the world.
//!
//! The figures are round trips as one provider publishes them for its own network (IBM Cloud VPC, "Network latency
//! dashboards", averages from 17 August to 15 September 2024). They are not quite symmetric, and neither are links
//! here. A message takes half of a round trip.

use core::time::Duration;

/// The regions, in the order of the table.
pub const REGIONS: [&str; 10] =
    ["Dallas", "Toronto", "Washington", "Frankfurt", "London", "Madrid", "Osaka", "Sydney", "Tokyo", "São Paulo"];

/// From the region of the row to that of the column; within a region, between its zones. Unit: milliseconds.
const ROUND_TRIPS_MS: [[u16; 10]; 10] = [
    [2, 34, 31, 123, 113, 117, 150, 185, 143, 145],
    [34, 2, 19, 92, 82, 109, 169, 215, 161, 130],
    [32, 20, 2, 91, 76, 88, 173, 214, 166, 118],
    [123, 93, 91, 2, 13, 29, 232, 250, 228, 197],
    [113, 83, 75, 13, 2, 27, 244, 261, 242, 187],
    [121, 109, 90, 29, 27, 2, 259, 275, 256, 207],
    [151, 168, 175, 232, 244, 258, 2, 122, 9, 292],
    [186, 214, 216, 250, 261, 275, 122, 2, 115, 327],
    [143, 162, 166, 231, 242, 257, 9, 115, 2, 284],
    [146, 130, 119, 198, 187, 205, 290, 328, 285, 2],
];

/// How long a message takes from one machine to another, where machines are spread over the regions in turn.
#[must_use]
pub fn latency(from: usize, to: usize) -> Duration {
    let round_trip = ROUND_TRIPS_MS[from % REGIONS.len()][to % REGIONS.len()];
    Duration::from_millis(u64::from(round_trip)) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_spread_in_turn_and_directions_hardly_differ() {
        assert_eq!(latency(0, 7), Duration::from_micros(92_500), "from Dallas to Sydney");
        assert_eq!(latency(10, 27), latency(0, 7));
        assert_eq!(latency(3, 13), Duration::from_millis(1), "between the zones of Frankfurt");
        for (from, one) in REGIONS.iter().enumerate() {
            for (to, other) in REGIONS.iter().enumerate() {
                let apart = latency(from, to).abs_diff(latency(to, from));
                assert!(apart <= Duration::from_millis(5), "{one} and {other}");
            }
        }
    }
}
