//! What an operator shows of itself: Prometheus metrics, and whether it lives and is ready.

use crate::driver::chain_writer::ChainWriter;
use crate::driver::egress::Outlet;
use crate::driver::executor::ExecutorHandle;
use crate::driver::health::Health;
use crate::driver::payload_writer::PayloadWriter;
use crate::driver::status::StatusSource;
use crate::rpc::ops;
use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use phalanx_pipeline::{Counters, DropReason, Gauges};
use std::sync::Arc;
use std::time::Duration;

const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Installs the recorder of metrics of this process.
pub(super) fn install_recorder() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("cannot install the recorder of metrics")
}

/// Where the numbers come from.
pub(super) struct Sources {
    pub(super) counters: Arc<Counters>,
    pub(super) gauges: Gauges,
    pub(super) mesh: Outlet,
    pub(super) executor: ExecutorHandle,
    pub(super) writer: ChainWriter,
    pub(super) payloads: PayloadWriter,
    pub(super) status: Arc<StatusSource>,
    pub(super) health: Arc<Health>,
}

/// Copies the numbers into the recorder, once a second, until the operator ends.
pub(super) async fn report(sources: Sources) {
    let mut interval = tokio::time::interval(REPORT_INTERVAL);
    loop {
        tokio::select! {
            _ = interval.tick() => sources.copy(),
            () = sources.health.stopped() => return,
        }
    }
}

impl Sources {
    fn copy(&self) {
        self.copy_counters();
        for depth in self.gauges.read() {
            metrics::gauge!("phalanx_ring_length", "ring" => depth.ring).set(depth.length as f64);
            metrics::gauge!("phalanx_ring_capacity", "ring" => depth.ring).set(depth.capacity as f64);
        }
        metrics::gauge!("phalanx_ring_length", "ring" => "executor").set(self.executor.queued() as f64);
        metrics::gauge!("phalanx_ring_length", "ring" => "chain_writer").set(self.writer.queued() as f64);
        metrics::gauge!("phalanx_ring_length", "ring" => "payload_writer").set(self.payloads.queued() as f64);
        for peer in self.mesh.status() {
            let label = peer.index.to_string();
            let connected = if peer.connected { 1.0 } else { 0.0 };
            metrics::gauge!("phalanx_peer_connected", "peer" => label.clone()).set(connected);
            let rtt = peer.rtt.unwrap_or_default();
            metrics::gauge!("phalanx_peer_rtt_seconds", "peer" => label.clone()).set(rtt.as_secs_f64());
            metrics::counter!("phalanx_peer_frames_dropped_total", "peer" => label).absolute(peer.dropped());
        }
        let snapshot = self.status.snapshots.load();
        metrics::gauge!("phalanx_term").set(snapshot.status.term as f64);
        metrics::gauge!("phalanx_slot").set(f64::from(snapshot.status.slot));
        metrics::gauge!("phalanx_leader").set(f64::from(snapshot.status.leader.0));
        metrics::gauge!("phalanx_progress_timeout_seconds").set(snapshot.status.progress_timeout.as_secs_f64());
        metrics::gauge!("phalanx_blocks_held").set(snapshot.status.blocks_held as f64);
    }

    fn copy_counters(&self) {
        let counters = &self.counters;
        for reason in DropReason::ALL {
            metrics::counter!("phalanx_messages_dropped_total", "reason" => reason.label())
                .absolute(counters.dropped(reason));
        }
        let named = [
            ("phalanx_messages_total", &counters.messages),
            ("phalanx_partials_total", &counters.partials),
            ("phalanx_certificates_recovered_total", &counters.certificates_recovered),
            ("phalanx_certificates_received_total", &counters.certificates_received),
            ("phalanx_culprits_total", &counters.culprits),
            ("phalanx_bisections_total", &counters.bisections),
            ("phalanx_equivocations_total", &counters.equivocations),
            ("phalanx_proposals_total", &counters.proposals),
            ("phalanx_verify_batches_total", &counters.batches),
            ("phalanx_verify_items_total", &counters.batch_items),
            ("phalanx_engine_inputs_total", &counters.inputs),
            ("phalanx_votes_signed_total", &counters.votes_signed),
            ("phalanx_proposals_signed_total", &counters.proposals_signed),
            ("phalanx_resends_total", &counters.resends),
            ("phalanx_journal_commits_total", &counters.commits),
            ("phalanx_journal_records_total", &counters.records),
            ("phalanx_journal_compactions_total", &counters.compactions),
        ];
        for (name, counter) in named {
            metrics::counter!(name).absolute(counter.get());
        }
    }
}

/// For `/livez` and `/readyz`.
pub(super) struct OperatorHealth {
    pub(super) health: Arc<Health>,
    pub(super) status: Arc<StatusSource>,
}

impl ops::Health for OperatorHealth {
    fn live(&self) -> Result<(), String> {
        self.health.fatal_reason().map_or(Ok(()), |reason| Err(reason.to_owned()))
    }

    fn ready(&self) -> Result<(), String> {
        self.live()?;
        if let Some(target) = self.status.syncing() {
            return Err(format!("catching up to block {target}"));
        }
        if !self.health.is_ready() {
            let quorum = self.status.identification.size.q();
            let connected = self.status.connected_peers() + 1;
            return Err(format!("{connected} operators are connected, this one included; a quorum is {quorum}"));
        }
        Ok(())
    }
}
