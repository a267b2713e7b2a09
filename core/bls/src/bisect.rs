//! Finds the bad items of a batch, given a check of ranges.

use core::ops::Range;

/// Whether each of `count` items is good, where `all_good` says so of ranges of at least two, and `alone`
/// of single ones, so that a verdict against an item never rests on a random sum.
///
/// Unless some item is `suspected` already, the whole is checked first; only a failure is halved, and a
/// right half whose left sibling passed is known to hold a bad item without a check. `b` bad items take
/// about `2b·log₂(count/b)` checks.
pub fn bisect(
    count: usize,
    suspected: bool,
    mut all_good: impl FnMut(Range<usize>) -> bool,
    mut alone: impl FnMut(usize) -> bool,
) -> Vec<bool> {
    let mut verdicts = vec![true; count];
    // Each with whether it is known to hold a bad item; the last is next, so left halves go first.
    let mut open = vec![(0..count, suspected)];
    while let Some((range, suspected)) = open.pop() {
        if range.len() <= 1 {
            for index in range {
                verdicts[index] = alone(index);
            }
        } else if suspected || !all_good(range.clone()) {
            let middle = range.start + range.len() / 2;
            let left = range.start..middle;
            let left_good = left.len() > 1 && all_good(left.clone());
            if left.len() == 1 {
                verdicts[range.start] = alone(range.start);
            } else if !left_good {
                open.push((left.clone(), true));
            }
            let right_suspected = if left.len() == 1 { verdicts[range.start] } else { left_good };
            open.push((middle..range.end, right_suspected));
        }
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_exactly_the_bad_ones(items in proptest::collection::vec(any::<bool>(), 0..200), suspected: bool) {
            let verdicts = bisect(
                items.len(),
                suspected && items.contains(&false),
                |range| items[range].iter().all(|good| *good),
                |index| items[index],
            );
            prop_assert_eq!(verdicts, items);
        }
    }

    #[test]
    fn a_good_batch_takes_one_check_and_one_bad_item_a_logarithm() {
        let mut checks = 0;
        bisect(
            128,
            false,
            |_| {
                checks += 1;
                true
            },
            |_| unreachable!("nothing failed"),
        );
        assert_eq!(checks, 1);
        let mut checks = 0;
        let mut alone = 0;
        let verdicts = bisect(
            128,
            false,
            |range| {
                checks += 1;
                !range.contains(&77)
            },
            |index| {
                alone += 1;
                index != 77
            },
        );
        assert_eq!(verdicts.iter().position(|good| !good), Some(77));
        assert!(checks <= 14 && alone <= 2, "{checks} checks of ranges, {alone} of single items");
    }
}
