//! One operator's whole vote path, from encoded messages to a journalled vote and the certificates of a slot, fed by
//! the others of its cluster. Unit: slots, as fast as they are taken.
//!
//! `cargo bench -p phalanx-benches --bench slots`; `cargo test --benches` runs everything once.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use phalanx_benches::cluster::Cluster;
use phalanx_benches::slots::throughput;
use phalanx_bls::Backend;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn slots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("slots");
    group.throughput(Throughput::Elements(1)).sample_size(10).warm_up_time(Duration::from_millis(1));
    for n in [4, 16, 50, 128, 256, 1_000] {
        let cluster = Cluster::new(n, Backend::detect());
        for liars in [0, cluster.size().f()] {
            group.bench_function(BenchmarkId::new(format!("n={n}"), format!("{liars} liars")), |bencher| {
                // Signing what is fed is not measured, so the number of slots is chosen here, not by the clock.
                bencher.iter_custom(|iterations| {
                    let slots = u32::try_from(iterations.min(50)).expect("few");
                    let measured = throughput(&cluster, slots, liars).expect("the operator finishes");
                    let share = Duration::from_secs_f64(1.0 / measured.slots_per_second);
                    share * u32::try_from(iterations).unwrap_or(u32::MAX)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, slots);
criterion_main!(benches);
