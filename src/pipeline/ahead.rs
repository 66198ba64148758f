//! Checkpoints read ahead: while some are measured, the next one is opened, brought and compared with
//! the one before it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use blake3::Hash;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{PipelineError, Plan};
use crate::archive::{ArchiveError, Checkpoint, Fault, Weights};

/// What became of reading a checkpoint.
pub(super) enum Read<'p> {
    /// Its parts are there already.
    Done { checkpoint: &'p Checkpoint, kept: Kept },
    /// It can be measured.
    Weights(Next<'p>),
    /// It cannot be read.
    Failed { checkpoint: &'p Checkpoint, identity: String, error: (String, Fault) },
}

/// What is there of a unit already.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    pub failed_rows: usize,
    /// Whether these are the parts of the whole checkpoint, not just a piece.
    pub is_whole: bool,
}

/// A checkpoint ready to be measured.
#[derive(Clone)]
pub(super) struct Next<'p> {
    pub checkpoint: &'p Checkpoint,
    /// All units of a checkpoint share what was brought for the first of them.
    pub weights: Arc<Weights>,
    /// A hash of what is measured of it.
    pub hash: String,
    /// The hash of everything that its part depends on.
    pub identity: String,
    /// The tensors that are the same as in the checkpoint before; none where there is none before.
    pub unchanged: Option<Vec<String>>,
    /// The seconds that reading it took, and the bytes that were read.
    pub took: (f64, u64),
}

/// The checkpoint that was read last, as the next one is compared with it.
struct Before {
    place: usize,
    identity: String,
    /// None as long as nobody needed them: a remote checkpoint that is done is not brought for them.
    hashes: Option<BTreeMap<String, Hash>>,
}

/// Tells what is there of a unit that is made of this identity.
type Done<'d> = &'d dyn Fn(&str) -> Result<Option<Kept>, PipelineError>;

/// Reads checkpoints one after another.
pub(super) struct Ahead<'p> {
    plan: &'p Plan,
    /// A thread of its own: the pool that measures is busy.
    pool: ThreadPool,
    before: Option<Before>,
    /// The checkpoint that was read last, where it is cut into several units: the next one may be of it.
    last: Option<(usize, Next<'p>)>,
}

impl<'p> Ahead<'p> {
    pub(super) fn new(plan: &'p Plan) -> Result<Self, PipelineError> {
        let pool = ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.map_err(|error| PipelineError::Thread { reason: error.to_string() })?;
        Ok(Self { plan, pool, before: None, last: None })
    }

    /// Reads the checkpoint at a place of the plan; `done` tells whether what is made of an identity is there.
    ///
    /// # Errors
    ///
    /// Those of `done`, and a store that is out of reach: no checkpoint is at fault then.
    pub(super) fn read(&mut self, place: usize, done: Done<'_>) -> Result<Read<'p>, PipelineError> {
        let checkpoint = &self.plan.checkpoints[place];
        if let Some((_, next)) = self.last.as_ref().filter(|(last, _)| *last == place) {
            return Ok(match done(&next.identity)? {
                Some(kept) => Read::Done { checkpoint, kept },
                None => Read::Weights(Next { took: (0.0, 0), ..next.clone() }),
            });
        }
        // Let go before the next one is brought.
        self.last = None;
        match self.try_read(place, checkpoint, done) {
            Err(PipelineError::Archive(error)) if !error.is_unreachable() => {
                self.before = None;
                let identity = self.identity(checkpoint, "unreadable", None);
                Ok(Read::Failed { checkpoint, identity, error: (error.to_string(), error.fault()) })
            }
            read => read,
        }
    }

    fn try_read(
        &mut self,
        place: usize,
        checkpoint: &'p Checkpoint,
        done: Done<'_>,
    ) -> Result<Read<'p>, PipelineError> {
        let begun = Instant::now();
        let weights = checkpoint.open()?;
        let own = self.pool.install(|| weights.identity(self.names()))?;
        let mut before = self.take_before(place)?;
        let identity = self.identity(checkpoint, &own, before.as_ref().map(|before| before.identity.as_str()));
        if let Some(kept) = done(&identity)? {
            self.before = Some(Before { place, identity: own, hashes: None });
            return Ok(Read::Done { checkpoint, kept });
        }
        weights.load(self.names())?;
        let (hashes, hash) = self
            .pool
            .install(|| Ok::<_, ArchiveError>((weights.tensor_hashes(self.names())?, weights.hash(self.names())?)))?;
        if let Some(before) = before.as_mut().filter(|before| before.hashes.is_none()) {
            before.hashes = self.hashes(before.place)?;
        }
        let unchanged = before.and_then(|before| before.hashes).map(|before| {
            let same = hashes.iter().filter(|(name, hash)| before.get(*name) == Some(hash));
            same.map(|(name, _)| name.clone()).collect()
        });
        self.before = Some(Before { place, identity: own, hashes: Some(hashes) });
        let wanted = weights.tensors().filter(|tensor| self.plan.tensors.iter().any(|name| name == tensor.name));
        let took = (begun.elapsed().as_secs_f64(), wanted.map(|tensor| tensor.n_bytes()).sum());
        let next = Next { checkpoint, weights: Arc::new(weights), hash, identity, unchanged, took };
        if self.plan.groups.len() > 1 {
            self.last = Some((place, next.clone()));
        }
        Ok(Read::Weights(next))
    }

    fn names(&self) -> impl Iterator<Item = &'p str> + use<'p> {
        self.plan.tensors.iter().map(String::as_str)
    }

    /// The checkpoint before a place, whether this process read it last or not; none if it cannot be read.
    fn take_before(&mut self, place: usize) -> Result<Option<Before>, ArchiveError> {
        let Some(wanted) = place.checked_sub(1) else { return Ok(None) };
        if let Some(before) = self.before.take().filter(|before| before.place == wanted) {
            return Ok(Some(before));
        }
        let identity = self.plan.checkpoints[wanted]
            .open()
            .and_then(|weights| self.pool.install(|| weights.identity(self.names())));
        Ok(readable(identity)?.map(|identity| Before { place: wanted, identity, hashes: None }))
    }

    fn hashes(&self, place: usize) -> Result<Option<BTreeMap<String, Hash>>, ArchiveError> {
        readable(self.plan.checkpoints[place].open().and_then(|weights| {
            weights.load(self.names())?;
            self.pool.install(|| weights.tensor_hashes(self.names()))
        }))
    }

    /// The hash of everything that a part depends on.
    fn identity(&self, checkpoint: &Checkpoint, own: &str, before: Option<&str>) -> String {
        let before = before.unwrap_or("none");
        let all = format!("{}\0{}\0{}\0{own}\0{before}", self.plan.hash, checkpoint.step(), checkpoint.name());
        blake3::hash(all.as_bytes()).to_hex().to_string()
    }
}

/// What was read, if that can be read at all: a store that is out of reach tells nothing of it.
fn readable<T>(read: Result<T, ArchiveError>) -> Result<Option<T>, ArchiveError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.is_unreachable() => Err(error),
        Err(_) => Ok(None),
    }
}
