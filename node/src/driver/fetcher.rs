//! Asks peers for what catch-up misses, and checks what they answer before anybody sees it: payloads are
//! inspected, certificates verified, all away from the threads that vote.

use crate::driver::coordinator::{Event, Events};
use crate::driver::egress::Outlet;
use phalanx_pipeline::Ingress;
use phalanx_sync::{Answer, RequestId};
use phalanx_threshold::Verifier;
use phalanx_types::{Block, BlockInspector, Bytes, Certificate, OperatorIndex, SyncRequest, SyncResponse, Wire};
use rand::rngs::StdRng;
use rayon::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long a request may take: the largest response over a slow link.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Fetcher {
    pub(crate) runtime: Handle,
    pub(crate) outlet: Outlet,
    pub(crate) ingress: Arc<Ingress>,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) inspector: Arc<dyn BlockInspector>,
    pub(crate) events: Events,
}

impl Fetcher {
    /// Starts a request; it ends in exactly one `Answered` or `Unanswered`.
    pub(crate) fn fetch(&self, id: RequestId, to: OperatorIndex, request: SyncRequest) {
        let fetcher = self.clone();
        self.runtime.spawn(async move {
            let event = match fetcher.ask(to, request).await {
                Ok(answer) => Event::Answered { id, peer: to, answer },
                Err(error) => {
                    tracing::debug!(peer = %to, ?request, error, "a request brought nothing");
                    Event::Unanswered(id)
                }
            };
            fetcher.events.send(event);
        });
    }

    async fn ask(&self, to: OperatorIndex, request: SyncRequest) -> Result<Answer, String> {
        let response = self.outlet.request(to, request.to_wire(), REQUEST_TIMEOUT);
        let response = response.await.map_err(|error| error.to_string())?;
        let fetcher = self.clone();
        let check = move || {
            let response = SyncResponse::from_wire(&response).map_err(|error| error.to_string())?;
            fetcher.check(to, response)
        };
        tokio::task::spawn_blocking(check).await.map_err(|error| error.to_string())?
    }

    fn check(&self, from: OperatorIndex, response: SyncResponse) -> Result<Answer, String> {
        let (payloads, certificates) = match response {
            SyncResponse::Blocks { payloads, finalization } => (payloads, finalization.into_iter().collect()),
            SyncResponse::Block { payload, certificate } => {
                let payloads = if payload.is_empty() { Vec::new() } else { vec![payload] };
                (payloads, certificate.into_iter().collect())
            }
            SyncResponse::Certificates(certificates) => (Vec::new(), certificates),
        };
        let blocks = self.inspect(payloads)?;
        let certificates = self.verify(from, certificates)?;
        Ok(Answer { blocks, certificates })
    }

    fn inspect(&self, payloads: Vec<Bytes>) -> Result<Vec<Arc<Block>>, String> {
        let inspect = |payload| self.inspector.inspect(payload).map(Arc::new).map_err(|error| error.to_string());
        payloads.into_par_iter().map(inspect).collect()
    }

    /// The engine gets the certificates through the pipeline, which checks them with whatever else waits.
    fn verify(
        &self,
        from: OperatorIndex,
        certificates: Vec<Certificate>,
    ) -> Result<Vec<phalanx_threshold::Verified<Certificate>>, String> {
        if certificates.is_empty() {
            return Ok(Vec::new());
        }
        if !self.ingress.push_fetched(from, certificates.clone()) {
            tracing::debug!(peer = %from, "fetched certificates wait for the next answer: the verify stage is busy");
        }
        let mut rng: StdRng = rand::make_rng();
        let verified = self.verifier.certificates(&mut rng, certificates);
        verified.into_iter().collect::<Result<_, _>>().map_err(|error| error.to_string())
    }
}
