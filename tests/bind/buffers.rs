//! Buffers of integers and booleans, in a graph made by hand.

use std::fs;

use safetensors::Dtype;

use crate::common::{Stored, Tensors, npy_f32, npy_f64, npy_i64};
use crate::onnx;
use crate::zoo::{Zoo, strings};

/// Samples, columns and classes of the graph made by hand.
const N: usize = 16;
const WIDTH: usize = 16;
const CLASSES: usize = 3;

/// A network whose buffers are integers and booleans, at a step.
struct Hand {
    order: Vec<u8>,
    mask: Vec<bool>,
    floor: Vec<f32>,
    weight: Vec<f32>,
}

impl Hand {
    fn at(step: usize) -> Self {
        Self {
            order: (0..WIDTH).map(|place| u8::try_from((place * 5 + step / 40) % WIDTH).unwrap()).collect(),
            mask: (0..WIDTH).map(|place| !(place * place + step).is_multiple_of(3)).collect(),
            floor: (0..WIDTH).map(|place| (place * 7 + step) as f32 / 8.0).collect(),
            weight: (0..WIDTH * CLASSES).map(|place| ((place * 11 + step) % 23) as f32 / 4.0 - 2.0).collect(),
        }
    }

    /// Graph bytes: the columns in an order, some of them replaced, times a weight.
    fn graph(&self) -> Vec<u8> {
        let order: Vec<u8> = self.order.iter().flat_map(|&place| i64::from(place).to_le_bytes()).collect();
        let mask: Vec<u8> = self.mask.iter().map(|&is_kept| u8::from(is_kept)).collect();
        let singles = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let parts = [
            onnx::node("Gather", &["input", "order"], "ordered", &[("axis", 1)]),
            onnx::node("Where", &["mask", "ordered", "floor"], "masked", &[]),
            onnx::node("MatMul", &["masked", "weight"], "logits", &[]),
            onnx::initializer("order", onnx::INT64, &[WIDTH], &order),
            onnx::initializer("mask", onnx::BOOL, &[WIDTH], &mask),
            onnx::initializer("floor", onnx::FLOAT, &[WIDTH], &singles(&self.floor)),
            onnx::initializer("weight", onnx::FLOAT, &[WIDTH, CLASSES], &singles(&self.weight)),
        ];
        onnx::model(&parts, WIDTH, CLASSES)
    }

    /// A checkpoint, its order and mask in these types.
    fn tensors(&self, order: Dtype, mask: Dtype) -> Tensors {
        let order_bytes: Vec<u8> = match order {
            Dtype::I64 => self.order.iter().flat_map(|&place| i64::from(place).to_le_bytes()).collect(),
            _ => self.order.iter().flat_map(|&place| i32::from(place).to_le_bytes()).collect(),
        };
        let mask_bytes = self.mask.iter().map(|&is_kept| u8::from(is_kept)).collect();
        Tensors::from([
            ("order".to_owned(), Stored { dtype: order, shape: vec![WIDTH], bytes: order_bytes }),
            ("mask".to_owned(), Stored { dtype: mask, shape: vec![WIDTH], bytes: mask_bytes }),
            ("floor".to_owned(), Stored::f32(&[WIDTH], &self.floor)),
            ("weight".to_owned(), Stored::f32(&[WIDTH, CLASSES], &self.weight)),
        ])
    }

    fn outputs(&self, inputs: &[f32]) -> Vec<f64> {
        let row = |row: &[f32]| {
            let masked: Vec<f32> = (0..WIDTH)
                .map(|at| if self.mask[at] { row[usize::from(self.order[at])] } else { self.floor[at] })
                .collect();
            (0..CLASSES)
                .map(|class| {
                    (0..WIDTH).map(|at| f64::from(masked[at]) * f64::from(self.weight[at * CLASSES + class])).sum()
                })
                .collect::<Vec<f64>>()
        };
        inputs.chunks(WIDTH).flat_map(row).collect()
    }
}

#[test]
fn integers_and_booleans_feed_the_graph_at_every_checkpoint() {
    for (order, mask) in [(Dtype::I64, Dtype::BOOL), (Dtype::I32, Dtype::U8)] {
        let zoo = Zoo::empty("hand.onnx");
        let inputs: Vec<f32> = (0..N * WIDTH).map(|place| ((place * 13) % 37) as f32 / 16.0).collect();
        let labels: Vec<i64> = (0..16).map(|row| row % 3).collect();
        fs::write(zoo.path("zoo/hand.onnx"), Hand::at(200).graph()).unwrap();
        fs::write(zoo.path("zoo/inputs.npy"), npy_f32(&[N, WIDTH], &inputs)).unwrap();
        fs::write(zoo.path("zoo/labels.npy"), npy_i64(&[N], &labels)).unwrap();
        let mut records = Vec::new();
        for step in [0, 40, 200] {
            let hand = Hand::at(step);
            zoo.put(step as u64, &hand.tensors(order, mask));
            records.push((step as u64, npy_f64(&[N, CLASSES], &hand.outputs(&inputs))));
        }
        zoo.record(&records);
        let said = zoo.proven();
        assert_eq!(strings(&said["feeds"], "words"), ["order", "mask", "floor", "weight"], "{said}");
        assert!(zoo.rows(0).iter().all(|row| row["recorded_difference"].as_f64().unwrap() < 1e-6));
        // An order of another checkpoint is no order of this graph.
        let stale = Hand { order: Hand::at(40).order, ..Hand::at(200) };
        zoo.put(200, &stale.tensors(order, mask));
        zoo.command("bind", &[]).refused(&["`order`"]);
    }
}
