//! ONNX Runtime: the only file that names `ort`.
//!
//! Weights are given to a session as *external initializers*, which are in place before the
//! optimizers run. The plain override of an initializer comes after them, when they have already
//! folded the old weights into other constants, and is silently wrong.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use half::{bf16, f16};
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session as OrtSession, SessionInputValue, SessionOutputs};
use ort::value::{DynValue, Outlet, Tensor, TensorElementType, TensorRef, ValueType};

use super::{FeedInputs, ReplayError, find_library};
use crate::archive::{Kind, Numbers};
use crate::graph::Fed;
use crate::samples::Values;

/// The one ONNX Runtime of the process.
#[derive(Debug)]
pub struct Runtime {
    environment: Environment,
    version: String,
    path: PathBuf,
}

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the type that it names")]
pub enum Element {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
    Other,
}

/// A tensor as the graph describes it.
#[derive(Clone, Debug)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub element: Element,
    /// Its dimensions; none where they depend on the input.
    pub shape: Vec<Option<usize>>,
}

/// Takes an output: its place among the names, its shape, its values.
pub type Sink<'s> = dyn FnMut(usize, &[usize], Cow<'_, [f32]>) -> Result<(), ReplayError> + 's;

/// A graph ready to run, with the weights of one checkpoint in it.
#[derive(Debug)]
pub struct Session {
    inner: OrtSession,
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
}

impl Runtime {
    /// Finds (or fetches) the library and starts it; later calls return the same runtime.
    ///
    /// Some builds write a device id and queue events unless `ORT_DISABLE_TELEMETRY=1` stands in
    /// the environment, so that starting without it is refused.
    ///
    /// # Errors
    ///
    /// [`ReplayError::NoLibrary`] or [`ReplayError::Library`].
    pub fn start(offline: bool, notify: &dyn Fn(&str)) -> Result<&'static Self, ReplayError> {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        let guard = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = RUNTIME.get() {
            return Ok(runtime);
        }
        let path = find_library(offline, notify)?;
        let fail = |reason: String| ReplayError::Library { path: path.clone(), reason };
        if std::env::var_os("ORT_DISABLE_TELEMETRY").is_none_or(|value| value != "1") {
            return Err(fail("`ORT_DISABLE_TELEMETRY=1` is not set, and infoplane sends nothing".to_owned()));
        }
        let builder = ort::init_from(&path).map_err(|error| fail(error.to_string()))?;
        let environment =
            builder.with_name("infoplane").with_telemetry(false).build().map_err(|error| fail(error.to_string()))?;
        // What goes wrong is told in our own errors; the library would print it a second time.
        environment.set_log_level(LogLevel::Fatal);
        let version = version(&path);
        let runtime = RUNTIME.get_or_init(|| Self { environment, version, path });
        // Released only now: a second environment in the same process would be refused.
        drop(guard);
        Ok(runtime)
    }

    /// The version of the library.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where the library lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The version in the file's name, and a hash of the library: builds of one version differ, too.
fn version(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let digits = name.trim_start_matches("libonnxruntime.").trim_start_matches("so").trim_end_matches("dylib");
    let content = std::fs::read(path).unwrap_or_default();
    format!("{}+{}", digits.trim_matches('.'), &blake3::hash(&content).to_hex()[..8])
}

impl Session {
    /// Makes a session from model bytes, with the weights of a checkpoint in place of its own.
    ///
    /// `folder` is where a model's own weights lie if they are in other files.
    /// One intra-op thread: parallelism lies over checkpoints, and the bits do not depend on it.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Refused`] with what ONNX Runtime says.
    pub fn new(
        runtime: &Runtime,
        graph: &str,
        bytes: &[u8],
        folder: Option<&Path>,
        weights: Vec<Fed<'_>>,
    ) -> Result<Self, ReplayError> {
        let build = || -> ort::Result<OrtSession> {
            let mut builder = OrtSession::builder(&runtime.environment)?
                .with_optimization_level(GraphOptimizationLevel::All)?
                .with_intra_threads(1)?
                .with_inter_threads(1)?;
            if let Some(folder) = folder {
                builder = builder.with_config_entry(EXTERNAL_FOLDER, folder.to_string_lossy())?;
            }
            for (name, shape, values) in weights {
                builder = builder.with_external_initializer(&name, tensor(shape, &values)?)?;
            }
            builder.commit_from_memory(bytes)
        };
        let session = build().map_err(|error| ReplayError::Refused {
            graph: graph.to_owned(),
            version: runtime.version.clone(),
            reason: first_line(&error.to_string()),
        })?;
        let inputs = session.inputs().iter().map(TensorInfo::new).collect();
        let outputs = session.outputs().iter().map(TensorInfo::new).collect();
        Ok(Self { inner: session, inputs, outputs })
    }

    /// The inputs of the graph.
    #[must_use]
    pub fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    /// The outputs of the graph, the added ones among them.
    #[must_use]
    pub fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    /// Runs some samples and hands each named output to `sink`, with its place among the names, its
    /// shape, and its values in single precision.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Run`], [`ReplayError::Tap`] for outputs that are no floats, or the sink's error.
    pub fn run(
        &mut self,
        inputs: &FeedInputs,
        rows: Range<usize>,
        names: &[&str],
        sink: &mut Sink<'_>,
    ) -> Result<(), ReplayError> {
        let fail = |error: ort::Error| ReplayError::Run {
            first: rows.start,
            last: rows.end.saturating_sub(1),
            reason: first_line(&error.to_string()),
        };
        let noise = inputs.noise(&rows);
        let whole = 0..rows.len();
        let samples = inputs.inputs.iter().map(|(name, values)| (name.as_str(), values, &rows));
        let all = samples.chain(noise.iter().map(|(name, values)| (*name, values, &whole)));
        let feeds = all.map(|(name, values, rows)| Ok((Cow::Borrowed(name), slice(values, rows)?)));
        let feeds = feeds.collect::<ort::Result<Vec<(Cow<'_, str>, SessionInputValue<'_>)>>>().map_err(fail)?;
        let outputs: SessionOutputs<'_> = self.inner.run(feeds).map_err(fail)?;
        for (place, name) in names.iter().enumerate() {
            let value = outputs.get(name).expect("every name was made an output of the session");
            let (shape, values) = floats(name, value)?;
            sink(place, &shape, values)?;
        }
        Ok(())
    }
}

impl TensorInfo {
    fn new(outlet: &Outlet) -> Self {
        let (element, shape) = match outlet.dtype() {
            ValueType::Tensor { ty, shape, .. } => {
                (Element::new(*ty), shape.iter().map(|&size| usize::try_from(size).ok()).collect())
            }
            _ => (Element::Other, Vec::new()),
        };
        Self { name: outlet.name().to_owned(), element, shape }
    }

    /// The shape with `?` for dimensions that depend on the input.
    #[must_use]
    pub fn shape_words(&self) -> String {
        let sizes: Vec<String> =
            self.shape.iter().map(|size| size.map_or("?".to_owned(), |size| size.to_string())).collect();
        format!("[{}]", sizes.join(", "))
    }
}

impl Element {
    fn new(kind: TensorElementType) -> Self {
        match kind {
            TensorElementType::Float64 => Self::F64,
            TensorElementType::Float32 => Self::F32,
            TensorElementType::Float16 => Self::F16,
            TensorElementType::Bfloat16 => Self::Bf16,
            TensorElementType::Int64 => Self::I64,
            TensorElementType::Int32 => Self::I32,
            TensorElementType::Int16 => Self::I16,
            TensorElementType::Int8 => Self::I8,
            TensorElementType::Uint64 => Self::U64,
            TensorElementType::Uint32 => Self::U32,
            TensorElementType::Uint16 => Self::U16,
            TensorElementType::Uint8 => Self::U8,
            TensorElementType::Bool => Self::Bool,
            _ => Self::Other,
        }
    }

    /// The name of the type, as NumPy spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "float64",
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::I64 => "int64",
            Self::I32 => "int32",
            Self::I16 => "int16",
            Self::I8 => "int8",
            Self::U64 => "uint64",
            Self::U32 => "uint32",
            Self::U16 => "uint16",
            Self::U8 => "uint8",
            Self::Bool => "bool",
            Self::Other => "a type that is no number",
        }
    }
}

/// Where a model that comes as bytes finds the files of its weights.
const EXTERNAL_FOLDER: &str = "session.model_external_initializers_file_folder_path";

fn tensor(shape: Vec<usize>, values: &Numbers<'_>) -> ort::Result<DynValue> {
    macro_rules! owned {
        ($type:ty) => {
            Tensor::from_array((shape, values.plain::<$type>().into_owned()))?.into_dyn()
        };
    }
    Ok(match values.kind() {
        Kind::F64 => owned!(f64),
        Kind::F32 => owned!(f32),
        Kind::F16 => owned!(f16),
        Kind::Bf16 => owned!(bf16),
        Kind::I64 => owned!(i64),
        Kind::I32 => owned!(i32),
        Kind::I16 => owned!(i16),
        Kind::I8 => owned!(i8),
        Kind::U64 => owned!(u64),
        Kind::U32 => owned!(u32),
        Kind::U16 => owned!(u16),
        Kind::U8 => owned!(u8),
        Kind::Bool => {
            let truths: Vec<bool> = values.bytes().iter().map(|&byte| byte != 0).collect();
            Tensor::from_array((shape, truths))?.into_dyn()
        }
        kind @ (Kind::F8E4m3 | Kind::F8E5m2) => {
            return Err(ort::Error::new(format!("no graph is read that computes in {}", kind.name())));
        }
    })
}

/// Borrows some rows of an input.
fn slice<'v>(values: &'v Values, rows: &Range<usize>) -> ort::Result<SessionInputValue<'v>> {
    macro_rules! borrow {
        ($array:expr) => {{
            let mut shape = $array.shape().to_vec();
            let width: usize = shape[1..].iter().product();
            shape[0] = rows.len();
            let all = $array.as_slice().expect("arrays are made row-major");
            TensorRef::from_array_view((shape, &all[rows.start * width..rows.end * width]))?.into()
        }};
    }
    Ok(match values {
        Values::F64(array) => borrow!(array),
        Values::F32(array) => borrow!(array),
        Values::F16(array) => borrow!(array),
        Values::I64(array) => borrow!(array),
        Values::I32(array) => borrow!(array),
        Values::I16(array) => borrow!(array),
        Values::I8(array) => borrow!(array),
        Values::U64(array) => borrow!(array),
        Values::U32(array) => borrow!(array),
        Values::U16(array) => borrow!(array),
        Values::U8(array) => borrow!(array),
        Values::Bool(array) => borrow!(array),
    })
}

/// The values of an output in single precision.
fn floats<'v>(name: &str, value: &'v DynValue) -> Result<(Vec<usize>, Cow<'v, [f32]>), ReplayError> {
    fn cast<T: ort::value::PrimitiveTensorElementType + Copy>(
        value: &DynValue,
        narrow: impl Fn(T) -> f32,
    ) -> Option<Vec<f32>> {
        value.try_extract_tensor::<T>().ok().map(|(_, values)| values.iter().map(|&value| narrow(value)).collect())
    }
    let info = match value.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            Some((Element::new(*ty), shape.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect()))
        }
        _ => None,
    };
    let element = info.as_ref().map_or(Element::Other, |(element, _)| *element);
    #[expect(clippy::cast_possible_truncation, reason = "activations are kept in single precision")]
    let values = match element {
        Element::F32 => value.try_extract_tensor::<f32>().ok().map(|(_, values)| Cow::Borrowed(values)),
        Element::F64 => cast::<f64>(value, |value| value as f32).map(Cow::Owned),
        Element::F16 => cast::<f16>(value, f32::from).map(Cow::Owned),
        Element::Bf16 => cast::<bf16>(value, f32::from).map(Cow::Owned),
        _ => None,
    };
    match (info, values) {
        (Some((_, shape)), Some(values)) => Ok((shape, values)),
        _ => Err(ReplayError::Tap {
            tap: name.to_owned(),
            found: format!("a tensor of {}", element.name()),
            needed: "floating-point values".to_owned(),
            remedy: "choose a tap that holds activations".to_owned(),
        }),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
