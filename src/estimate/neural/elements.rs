//! The numbers of a tensor, without a copy.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Storage, Tensor, bail};

/// What a function makes of the numbers of a tensor.
pub(super) fn read<R>(tensor: &Tensor, act: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(act(in_order(storage, layout)?)),
        _ => bail!("found a tensor that is not in memory"),
    }
}

/// Changes the numbers of a tensor, given those of another one.
pub(super) fn change(tensor: &Tensor, by: &Tensor, act: impl FnMut(&mut [f32], &[f32])) -> Result<()> {
    tensor.inplace_op2(by, &Change(RefCell::new(act)))
}

struct Change<F>(RefCell<F>);

impl<F: FnMut(&mut [f32], &[f32])> InplaceOp2 for Change<F> {
    fn name(&self) -> &'static str {
        "change"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout, by: &CpuStorage, of_by: &Layout) -> Result<()> {
        let (CpuStorage::F32(values), Some((first, last))) = (storage, layout.contiguous_offsets()) else {
            bail!("found a tensor whose numbers are not of single precision and in order")
        };
        (self.0.borrow_mut())(&mut values[first..last], in_order(by, of_by)?);
        Ok(())
    }
}

fn in_order<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((first, last)) => Ok(&storage.as_slice::<f32>()?[first..last]),
        None => bail!("found a tensor whose numbers are not in order"),
    }
}
