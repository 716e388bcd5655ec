//! Which experts each row goes to, and with what weights.

use crate::gpu::{AdapterInfo, RequiredFeatures};
use crate::kernels::chunk_argmax::{BEST_ONE, BEST_SHARED};
use crate::kernels::rms_norm::{SUM_ONE, SUM_SHARED};
use crate::kernels::verify::{KernelTest, Output, random_f32s};
use crate::kernels::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("experts/route");
const BIAS: &str = wgsl!("experts/bias");
const NO_BIAS: &str = wgsl!("experts/no_bias");
const SCALES: &str = wgsl!("experts/scales");
const NO_SCALES: &str = wgsl!("experts/no_scales");

/// Groups of experts at most: a bit each.
pub const MAX_GROUPS: u32 = 32;

/// What an expert's logit says of its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gating {
    /// Softmax over all experts.
    Softmax,
    /// The sigmoid of each logit.
    Sigmoid,
    /// Softmax over the chosen.
    SoftmaxOfChosen,
}

/// How experts are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Routing {
    /// Experts there are.
    pub experts: u32,
    /// Experts of a row.
    pub used: u32,
    /// What weights are made of.
    pub gating: Gating,
    /// Whether the weights of a row are divided by their sum.
    pub normalises: bool,
    /// What they are then multiplied by.
    pub scale: f32,
    /// Groups of neighbouring experts, of which the best are chosen first; 1 for none. A group's score is that of its two best.
    pub groups: u32,
    /// Groups of a row.
    pub groups_used: u32,
}

/// `choices[r]`: the experts of row `r`, best first, then their weights.
#[derive(Serialize, Deserialize)]
pub struct Route {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, experts]`.
    #[serde(skip)]
    pub logits: TensorRef,
    /// f32 `[experts]`, added to what experts are chosen by, and not to their weights.
    pub bias: Option<TensorRef>,
    /// f32 `[experts]`, what weights are multiplied by.
    pub scales: Option<TensorRef>,
    /// `[rows, 2 · used]`: numbers of experts as u32, then f32 weights.
    #[serde(skip)]
    pub choices: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// How they are chosen.
    pub routing: Routing,
}

impl Kernel for Route {
    fn name(&self) -> &'static str {
        "route"
    }

    fn operands(&self) -> Vec<Operand> {
        let mut operands = vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("logits", "array<f32>", &self.logits),
            Operand::write("choices", "array<u32>", &self.choices),
        ];
        operands.extend(self.bias.iter().map(|bias| Operand::read("bias", "array<f32>", bias)));
        operands.extend(self.scales.iter().map(|scales| Operand::read("scales", "array<f32>", scales)));
        operands
    }

    fn class(&self) -> String {
        let Routing { gating, normalises, groups, .. } = self.routing;
        format!("{gating:?} {normalises} {} {} {}", groups > 1, self.bias.is_some(), self.scales.is_some())
    }

    fn variants(&self, facts: &AdapterInfo) -> Vec<Variant> {
        Variant::with_barriers_or_without(facts)
    }

    fn launch(&self, variant: Variant, _: &AdapterInfo) -> LaunchConfig {
        let Routing { experts, used, gating, normalises, scale, groups, groups_used } = self.routing;
        let [sum, best] = if variant == Variant::Plain { [SUM_ONE, BEST_ONE] } else { [SUM_SHARED, BEST_SHARED] };
        let bias = if self.bias.is_some() { BIAS } else { NO_BIAS };
        let scales = if self.scales.is_some() { SCALES } else { NO_SCALES };
        LaunchConfig {
            text: [batch::WGSL, sum, best, bias, scales, BODY].concat(),
            constants: vec![
                ("EXPERTS", experts.into()),
                ("USED", used.into()),
                ("GATING", (gating as u8).into()),
                ("NORMALISES", normalises.into()),
                ("WEIGHT_SCALE", scale.into()),
                ("GROUPS", groups.into()),
                ("GROUPS_USED", groups_used.into()),
            ],
            workgroups: [self.rows, 1, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let count = batch::count(&arguments.u32s("batch"));
        let bias = self.bias.is_some().then(|| arguments.f32s("bias"));
        let scales = self.scales.is_some().then(|| arguments.f32s("scales"));
        let logits = arguments.f32s("logits");
        cpu::route(
            &logits[..count * self.routing.experts as usize],
            bias.as_deref(),
            scales.as_deref(),
            self.routing,
            &mut arguments.u32s_mut("choices"),
        );
    }

    fn guard(&self) -> KernelTest {
        let groups = if self.routing.groups > 1 { 4 } else { 1 };
        let routing = Routing { experts: 140, used: 6, groups, groups_used: groups.min(2), ..self.routing };
        case(3, routing, self.bias.is_some(), self.scales.is_some())
    }
}

/// Cases: every gating, with and without a bias, groups, all experts chosen, and one.
pub fn cases() -> Vec<KernelTest> {
    let plain = Routing {
        experts: 33,
        used: 4,
        gating: Gating::Softmax,
        normalises: true,
        scale: 1.0,
        groups: 1,
        groups_used: 1,
    };
    let sigmoid = Routing { gating: Gating::Sigmoid, scale: 2.5, ..plain };
    vec![
        case(1, plain, false, false),
        case(7, Routing { normalises: false, experts: 8, used: 2, ..plain }, false, false),
        case(3, Routing { experts: 300, used: 8, ..plain }, true, false),
        case(3, sigmoid, true, false),
        case(3, Routing { experts: 160, groups: 8, groups_used: 3, used: 7, ..sigmoid }, true, false),
        case(3, Routing { experts: 32, groups: 4, groups_used: 1, used: 3, ..sigmoid }, false, false),
        case(3, Routing { gating: Gating::SoftmaxOfChosen, normalises: false, ..plain }, true, false),
        case(2, Routing { experts: 4, used: 4, ..plain }, false, false),
        case(2, Routing { experts: 16, used: 1, ..plain }, false, false),
        case(3, plain, false, true),
        case(2, sigmoid, true, true),
    ]
}

fn case(rows: u32, routing: Routing, biased: bool, scaled: bool) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    // Logits of several units, so that weights differ.
    let logits: Vec<u32> =
        random_f32s(1, (rows + 1) * routing.experts).into_iter().map(|w| (4.0 * f32::from_bits(w)).to_bits()).collect();
    let mut inputs = vec![batch::words(&valid), logits, vec![0; ((rows + 1) * 2 * routing.used) as usize]];
    if biased {
        inputs.push(random_f32s(2, routing.experts));
    }
    if scaled {
        inputs.push(random_f32s(3, routing.experts));
    }
    let Routing { experts, used, gating, groups, .. } = routing;
    let name =
        format!("route {rows} rows {used} of {experts} in {groups} {gating:?}{}", if biased { " biased" } else { "" })
            + if scaled { " scaled" } else { "" };
    KernelTest::new(name, inputs, vec![Output::choices(2, routing.used)], move |mut places| {
        let scales = scaled.then(|| places.pop().expect("scales"));
        let bias = biased.then(|| places.pop().expect("a bias"));
        let [batch, logits, choices] = places.try_into().expect("three inputs before the bias");
        Box::new(Route { batch, logits, bias, scales, choices, rows: rows + 1, routing })
    })
}
