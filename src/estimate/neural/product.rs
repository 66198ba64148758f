//! Products of matrices: candle's own reach a quarter of what the processor can.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, WithDType, bail};
use ndarray::{ArrayView2, ShapeBuilder};

use crate::estimate::matrix::{double, single};

/// The product of two matrices, from which gradients can be taken.
pub(super) fn product(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    left.apply_op2(right, Product)
}

struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(
        &self,
        left: &CpuStorage,
        of_left: &Layout,
        right: &CpuStorage,
        of_right: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if matches!(left, CpuStorage::F64(_)) {
            let product = double::product(view(left, of_left)?, view(right, of_right)?);
            let shape = Shape::from(product.dim());
            return Ok((CpuStorage::F64(product.into_raw_vec_and_offset().0), shape));
        }
        let product = single::shared_product(view(left, of_left)?, view(right, of_right)?);
        let shape = Shape::from(product.dim());
        Ok((CpuStorage::F32(product.into_raw_vec_and_offset().0), shape))
    }

    fn bwd(
        &self,
        left: &Tensor,
        right: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let of_left = left.track_op().then(|| product(gradient, &right.detach().t()?)).transpose()?;
        let of_right = right.track_op().then(|| product(&left.detach().t()?, gradient)).transpose()?;
        Ok((of_left, of_right))
    }
}

/// A matrix that lies in rows or in columns.
fn view<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<ArrayView2<'a, T>> {
    let ((rows, columns), &[down, right]) = (layout.shape().dims2()?, layout.stride()) else {
        bail!("found {:?}, needed a matrix", layout.shape())
    };
    let values = &storage.as_slice::<T>()?[layout.start_offset()..];
    let view = ArrayView2::from_shape((rows, columns).strides((down, right)), values);
    match view {
        Ok(view) if view.is_standard_layout() || view.t().is_standard_layout() => Ok(view),
        _ => bail!(
            "found a matrix of {rows} by {columns} with strides {down} and {right}, needed rows or columns in order"
        ),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;

    #[test]
    fn products_and_their_gradients_are_those_of_candle() {
        agree_with_candle(DType::F32);
        agree_with_candle(DType::F64);
    }

    fn agree_with_candle(precision: DType) {
        // Small whole numbers: every product and sum of them is exact. 70 rows are two tasks.
        let whole = |rows: usize, columns: usize| {
            let values: Vec<f32> =
                (0_u8..=250).cycle().take(rows * columns).map(|value| f32::from(value % 11) - 5.0).collect();
            let tensor = Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap();
            Var::from_tensor(&tensor.to_dtype(precision).unwrap()).unwrap()
        };
        let values =
            |tensor: &Tensor| tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (left, right, turned) = (whole(70, 5), whole(5, 3), whole(3, 5));
        let weights = whole(70, 3);
        for right_of in [&right, &turned] {
            let seen = if right_of.dims()[0] == 5 { right_of.as_tensor().clone() } else { right_of.t().unwrap() };
            let (ours, theirs) = (product(&left, &seen).unwrap(), left.matmul(&seen).unwrap());
            assert_eq!(values(&ours), values(&theirs));
            let gradients = [ours, theirs]
                .map(|product| (product * weights.as_tensor()).unwrap().sum_all().unwrap().backward().unwrap());
            for of in [&left, right_of] {
                let [ours, theirs] = gradients.each_ref().map(|gradients| values(gradients.get(of).unwrap()));
                assert_eq!(ours, theirs);
            }
        }
    }

    #[test]
    fn matrices_that_lie_neither_in_rows_nor_in_columns_are_refused() {
        let wide = Tensor::zeros((4, 6), DType::F32, &Device::Cpu).unwrap();
        let part = wide.narrow(1, 0, 3).unwrap();
        assert!(
            product(&part, &part.t().unwrap()).unwrap_err().to_string().contains("needed rows or columns in order")
        );
    }
}
