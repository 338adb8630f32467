#include "grpo/model/ops.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "grpo/model/cpu_kernels.h"

namespace assay {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

bool HasKernel(const at::Tensor& tensor) {
  return tensor.is_cpu() &&
         (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16);
}

// Calls fn(float{}) or fn(bf16_t{}) by dtype.
template <typename Fn>
void ByKernelType(at::ScalarType dtype, Fn&& fn) {
  if (dtype == at::kFloat) {
    fn(float{});
  } else {
    fn(cpu::bf16_t{});
  }
}

template <typename T>
T* Data(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

// Splits elementwise work of `bytes_per_row` into pieces that are worth a thread.
int64_t Grain(int64_t elements_per_row) {
  return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, elements_per_row));
}

struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& input, const at::Tensor& weight,
                            double eps, int64_t dtype_number) {
    const auto dtype = static_cast<at::ScalarType>(dtype_number);
    const at::Tensor x = input.contiguous();
    const int64_t rows = x.size(0);
    const int64_t width = x.size(1);
    at::Tensor out;
    at::Tensor rstd;
    if (x.is_cpu() && x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat &&
        (dtype == at::kFloat || dtype == at::kBFloat16)) {
      out = at::empty({rows, width}, x.options().dtype(dtype));
      rstd = at::empty({rows}, x.options());
      ByKernelType(dtype, [&](auto type) {
        using T = decltype(type);
        at::parallel_for(0, rows, Grain(width), [&](int64_t begin, int64_t end) {
          cpu::RmsNorm<T>(Data<float>(x) + begin * width, Data<float>(weight), eps, end - begin,
                          width, Data<T>(out) + begin * width, Data<float>(rstd) + begin);
        });
      });
    } else {
      // float64 models take their norms in float32, as transformers' do, so that their logits can be compared.
      const at::Tensor x32 = x.to(at::kFloat);
      rstd = (x32.square().mean(-1) + eps).rsqrt();
      out = ((x32 * rstd.unsqueeze(-1)).to(x.scalar_type()) * weight).to(dtype);
    }
    ctx->save_for_backward({x, weight, rstd});
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const at::Tensor& rstd = saved[2];
    const at::Tensor dy = grads[0].contiguous();
    const int64_t rows = x.size(0);
    const int64_t width = x.size(1);
    at::Tensor dx;
    at::Tensor dweight;
    if (HasKernel(dy) && x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat) {
      dx = at::empty_like(x);
      // A fixed number of partial sums, so that the result does not depend on the number of threads.
      const int64_t parts = std::clamp<int64_t>(rows / 64, 1, 16);
      const int64_t step = (rows + parts - 1) / parts;
      const at::Tensor partial = at::zeros({parts, width}, x.options());
      ByKernelType(dy.scalar_type(), [&](auto type) {
        using T = decltype(type);
        at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
          for (int64_t part = begin; part < end; ++part) {
            const int64_t first = part * step;
            const int64_t count = std::min(rows, first + step) - first;
            if (count <= 0) continue;
            cpu::RmsNormBackward<T>(Data<T>(dy) + first * width, Data<float>(x) + first * width,
                                    Data<float>(weight), Data<float>(rstd) + first, count, width,
                                    Data<float>(dx) + first * width,
                                    Data<float>(partial) + part * width);
          }
        });
      });
      dweight = partial.sum(0);
    } else {
      const at::Tensor g = dy.to(x.scalar_type());
      const at::Tensor normalized = x * rstd.unsqueeze(-1);
      const at::Tensor gw = g * weight;
      dx = rstd.unsqueeze(-1) * (gw - normalized * (gw * normalized).mean(-1, true));
      dweight = (g * normalized).sum(0).to(weight.scalar_type());
    }
    return {dx, dweight, Variable(), Variable()};
  }
};

// The rotation itself; its transpose with direction -1.
at::Tensor Rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine,
                  double direction) {
  const int64_t rows = x.size(0);
  const int64_t heads = x.size(1);
  const int64_t half = x.size(2) / 2;
  if (HasKernel(x) && cosine.scalar_type() == at::kFloat) {
    const at::Tensor in = x.stride(2) == 1 && x.stride(1) == 2 * half ? x : x.contiguous();
    const at::Tensor out = at::empty({rows, heads, 2 * half}, x.options());
    ByKernelType(x.scalar_type(), [&](auto type) {
      using T = decltype(type);
      at::parallel_for(0, rows, Grain(heads * half * 2), [&](int64_t begin, int64_t end) {
        cpu::Rope<T>(Data<T>(in) + begin * in.stride(0), in.stride(0),
                     Data<float>(cosine) + begin * half, Data<float>(sine) + begin * half,
                     end - begin, heads, half, static_cast<float>(direction),
                     Data<T>(out) + begin * heads * 2 * half);
      });
    });
    return out;
  }
  const at::Tensor a = x.narrow(2, 0, half).to(cosine.scalar_type());
  const at::Tensor b = x.narrow(2, half, half).to(cosine.scalar_type());
  const at::Tensor c = cosine.unsqueeze(1);
  const at::Tensor s = sine.unsqueeze(1) * direction;
  return at::cat({a * c - b * s, b * c + a * s}, 2).to(x.scalar_type());
}

struct RopeFunction : torch::autograd::Function<RopeFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& cosine,
                            const at::Tensor& sine) {
    ctx->save_for_backward({cosine, sine});
    return Rotate(x, cosine, sine, 1.0);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    return {Rotate(grads[0], saved[0], saved[1], -1.0), Variable(), Variable()};
  }
};

void GateMulBackward(const at::Tensor& dout, const at::Tensor& gate, const at::Tensor& up,
                     Activation activation, at::Tensor* dgate, at::Tensor* dup, at::Tensor* out) {
  if (activation == Activation::kGeluTanh) {
    const at::Tensor gelu = at::gelu(gate, "tanh");
    *dgate = at::gelu_backward(dout * up, gate, "tanh");
    *dup = dout * gelu;
    *out = gelu * up;
    return;
  }
  if (HasKernel(gate)) {
    *dgate = at::empty_like(gate);
    *dup = at::empty_like(up);
    *out = at::empty_like(gate);
    const at::Tensor d = dout.contiguous();
    ByKernelType(gate.scalar_type(), [&](auto type) {
      using T = decltype(type);
      at::parallel_for(0, gate.numel(), 16384, [&](int64_t begin, int64_t end) {
        cpu::SwigluBackward<T>(Data<T>(d) + begin, Data<T>(gate) + begin, Data<T>(up) + begin,
                               end - begin, Data<T>(*dgate) + begin, Data<T>(*dup) + begin,
                               Data<T>(*out) + begin);
      });
    });
    return;
  }
  const at::Tensor silu = at::silu(gate);
  *dgate = at::silu_backward(dout * up, gate);
  *dup = dout * silu;
  *out = silu * up;
}

// Autograd functions take an input that may be missing as an optional, never as an undefined tensor.
using MaybeTensor = std::optional<at::Tensor>;
MaybeTensor Maybe(const at::Tensor& tensor) {
  return tensor.defined() ? MaybeTensor(tensor) : std::nullopt;
}
// Multiplications from which oneDNN's fixed cost is worth it.
constexpr int64_t kOneDnnWork = int64_t{1} << 20;

// mkldnn::_linear_pointwise of this LibTorch; absent in builds without oneDNN.
using LinearPointwise = at::Tensor(const at::Tensor&, const at::Tensor&,
                                   const std::optional<at::Tensor>&, std::string_view,
                                   c10::List<std::optional<at::Scalar>>,
                                   std::optional<std::string_view>);
const std::optional<c10::TypedOperatorHandle<LinearPointwise>>& OneDnnLinear() {
  static const auto* const handle = [] {
    auto* found = new std::optional<c10::TypedOperatorHandle<LinearPointwise>>();
    try {
      const auto schema =
          c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
      if (schema && at::hasMKLDNN()) *found = schema->typed<LinearPointwise>();
    } catch (const c10::Error&) {  // another signature in this version: the BLAS does it
    }
    return found;
  }();
  return *handle;
}

at::Tensor AddBias(at::Tensor y, const MaybeTensor& bias) { return bias ? y.add_(*bias) : y; }

struct MlpFunction : torch::autograd::Function<MlpFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x,
                            const at::Tensor& gate_weight, const at::Tensor& up_weight,
                            const at::Tensor& down_weight, const MaybeTensor& gate_bias,
                            const MaybeTensor& up_bias, const MaybeTensor& down_bias,
                            int64_t activation) {
    const at::Tensor gate = AddBias(MatmulNt(x, gate_weight), gate_bias);
    const at::Tensor up = AddBias(MatmulNt(x, up_weight), up_bias);
    ctx->save_for_backward({x, gate, up, gate_weight, up_weight, down_weight});
    ctx->saved_data["gate_bias"] = gate_bias.has_value();
    ctx->saved_data["up_bias"] = up_bias.has_value();
    ctx->saved_data["down_bias"] = down_bias.has_value();
    ctx->saved_data["activation"] = activation;
    const at::Tensor product = GateMul(gate, up, static_cast<Activation>(activation));
    return AddBias(MatmulNt(product, down_weight), down_bias);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& gate_weight = saved[3];
    const at::Tensor& up_weight = saved[4];
    const at::Tensor& down_weight = saved[5];
    const at::Tensor dy = grads[0].contiguous();
    at::Tensor dgate;
    at::Tensor dup;
    at::Tensor product;
    const auto activation = static_cast<Activation>(ctx->saved_data["activation"].toInt());
    GateMulBackward(MatmulNt(dy, down_weight.t()), saved[1], saved[2], activation, &dgate, &dup,
                    &product);
    auto weight_grad = [&](size_t input, const at::Tensor& d, const at::Tensor& in) {
      return ctx->needs_input_grad(input) ? MatmulNt(d.t(), in.t()) : at::Tensor();
    };
    auto bias_grad = [&](const char* key, const at::Tensor& d) {
      return ctx->saved_data[key].toBool() ? d.sum(0) : at::Tensor();
    };
    at::Tensor dx;
    if (ctx->needs_input_grad(0))
      dx = MatmulNt(dgate, gate_weight.t()).add_(MatmulNt(dup, up_weight.t()));
    return {dx,
            weight_grad(1, dgate, x),
            weight_grad(2, dup, x),
            weight_grad(3, dy, product),
            bias_grad("gate_bias", dgate),
            bias_grad("up_bias", dup),
            bias_grad("down_bias", dy),
            Variable()};
  }
};

struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const MaybeTensor& bias) {
    ctx->save_for_backward({x, weight});
    ctx->saved_data["bias"] = bias.has_value();
    return AddBias(MatmulNt(x, weight), bias);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& dy = grads[0];
    return {ctx->needs_input_grad(0) ? MatmulNt(dy, saved[1].t()) : at::Tensor(),
            ctx->needs_input_grad(1) ? MatmulNt(dy.t(), saved[0].t()) : at::Tensor(),
            ctx->saved_data["bias"].toBool() ? dy.sum(0) : at::Tensor()};
  }
};

// Rows of x by index, zeros where the index is -1.
at::Tensor TakeRows(const at::Tensor& x, const at::Tensor& index) {
  at::Tensor rows = x.index_select(0, index.clamp_min(0));
  return rows.masked_fill_((index < 0).view({-1, 1}), 0);
}

struct GatherFunction : torch::autograd::Function<GatherFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& index,
                            const at::Tensor& inverse) {
    ctx->save_for_backward({inverse});
    return x.index_select(0, index);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    return {TakeRows(grads[0], ctx->get_saved_variables()[0]), Variable(), Variable()};
  }
};

// What a checkpoint keeps for its backward pass beside the saved tensors.
struct CheckpointHolder : torch::CustomClassHolder {
  CheckpointBody body;
};

struct CheckpointFunction : torch::autograd::Function<CheckpointFunction> {
  static at::Tensor forward(AutogradContext* ctx, at::TensorList inputs,
                            const CheckpointBody* body) {
    auto holder = c10::make_intrusive<CheckpointHolder>();
    holder->body = *body;
    ctx->saved_data["body"] = c10::IValue::make_capsule(holder);
    ctx->save_for_backward(variable_list(inputs.begin(), inputs.end()));
    return (*body)(inputs[0], std::vector<at::Tensor>(inputs.begin() + 1, inputs.end()));
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto holder =
        c10::static_intrusive_pointer_cast<CheckpointHolder>(ctx->saved_data["body"].toCapsule());
    const variable_list saved = ctx->get_saved_variables();
    std::vector<at::Tensor> inputs;
    variable_list wanted;
    for (size_t i = 0; i < saved.size(); ++i) {
      at::Tensor leaf = saved[i].detach();
      if (ctx->needs_input_grad(i)) {
        leaf.requires_grad_(true);
        wanted.push_back(leaf);
      }
      inputs.push_back(leaf);
    }
    at::AutoGradMode enable(true);
    const at::Tensor out =
        holder->body(inputs[0], std::vector<at::Tensor>(inputs.begin() + 1, inputs.end()));
    const variable_list found =
        torch::autograd::grad({out}, wanted, {grads[0]}, /*retain_graph=*/false,
                              /*create_graph=*/false, /*allow_unused=*/true);
    variable_list result;
    size_t next = 0;
    for (const at::Tensor& input : inputs) {
      result.push_back(input.requires_grad() ? found[next++] : Variable());
    }
    result.push_back(Variable());  // the body
    return result;
  }
};

struct OnDemandHolder : torch::CustomClassHolder {
  OnDemand what;
};

struct OnDemandFunction : torch::autograd::Function<OnDemandFunction> {
  static variable_list forward(AutogradContext* ctx, at::TensorList inputs, const OnDemand* what) {
    auto holder = c10::make_intrusive<OnDemandHolder>();
    holder->what = *what;
    ctx->saved_data["what"] = c10::IValue::make_capsule(holder);
    ctx->save_for_backward(variable_list(inputs.begin(), inputs.end()));
    return what->body(inputs.vec(), what->take());
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto holder =
        c10::static_intrusive_pointer_cast<OnDemandHolder>(ctx->saved_data["what"].toCapsule());
    std::vector<at::Tensor> inputs, wanted;
    const variable_list saved = ctx->get_saved_variables();
    for (size_t i = 0; i < saved.size(); ++i) {
      inputs.push_back(saved[i].detach().requires_grad_(ctx->needs_input_grad(i)));
      if (inputs.back().requires_grad()) wanted.push_back(inputs.back());
    }
    const std::vector<at::Tensor> weights = holder->what.take();
    for (const at::Tensor& weight : weights) {
      if (weight.defined() && weight.requires_grad()) wanted.push_back(weight);
    }
    variable_list out, from_above;
    {
      at::AutoGradMode enable(true);
      const std::vector<at::Tensor> all = holder->what.body(inputs, weights);
      for (size_t i = 0; i < all.size(); ++i) {
        if (grads[i].defined()) out.push_back(all[i]), from_above.push_back(grads[i]);
      }
    }
    const variable_list found =
        torch::autograd::grad(out, wanted, from_above, /*retain_graph=*/false,
                              /*create_graph=*/false, /*allow_unused=*/true);
    size_t next = 0;
    const auto gradients_of = [&](const std::vector<at::Tensor>& of) {
      variable_list gradients;
      for (const at::Tensor& tensor : of) {
        const bool has = tensor.defined() && tensor.requires_grad();
        gradients.push_back(has ? found[next++] : at::Tensor());
      }
      return gradients;
    };
    variable_list result = gradients_of(inputs);
    holder->what.give(gradients_of(weights));
    result.push_back(Variable());  // what it was
    return result;
  }
};

}  // namespace

at::Tensor RmsNorm(const at::Tensor& x_NH, const at::Tensor& weight_H, double eps,
                   at::ScalarType dtype) {
  return RmsNormFunction::apply(x_NH, weight_H, eps, static_cast<int64_t>(dtype));
}

at::Tensor Rope(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  return RopeFunction::apply(x, cosine, sine);
}

at::Tensor GatedMlp(const at::Tensor& x_NH, const MlpWeights& weights, Activation activation) {
  return MlpFunction::apply(x_NH, weights.gate, weights.up, weights.down, Maybe(weights.gate_bias),
                            Maybe(weights.up_bias), Maybe(weights.down_bias),
                            static_cast<int64_t>(activation));
}

at::Tensor MatmulNt(const at::Tensor& a, const at::Tensor& b) {
  const auto& one_dnn = OneDnnLinear();
  const bool large = a.size(0) * a.size(1) * b.size(0) >= kOneDnnWork;
  if (large && one_dnn && a.is_cpu() && a.scalar_type() == at::kFloat) {
    return one_dnn->call(a, b, std::nullopt, "none", c10::List<std::optional<at::Scalar>>(), "");
  }
  return at::mm(a, b.t());
}

void AddInto(const at::Tensor& sum, const at::Tensor& part) {
  if (!sum.is_cpu() || sum.scalar_type() != at::kFloat || part.scalar_type() != at::kBFloat16 ||
      !sum.is_contiguous() || !part.is_contiguous()) {
    sum.add_(part);
    return;
  }
  at::parallel_for(0, sum.numel(), 32768, [&](int64_t begin, int64_t end) {
    cpu::AddTo(Data<cpu::bf16_t>(part) + begin, end - begin, Data<float>(sum) + begin);
  });
}

at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return LinearFunction::apply(x, weight, Maybe(bias));
}

at::Tensor JoinRows(const std::vector<at::Tensor>& parts) {
  if (!parts[0].defined()) return {};
  int64_t rows = 0;
  bool adjacent = true;
  for (const at::Tensor& part : parts) {
    const auto* expected = static_cast<const char*>(parts[0].data_ptr()) +
                           rows * parts[0].stride(0) * parts[0].element_size();
    adjacent = adjacent && part.is_contiguous() && part.data_ptr() == expected &&
               part.is_alias_of(parts[0]);
    rows += part.size(0);
  }
  if (!adjacent) return at::cat(parts, 0);
  std::vector<int64_t> sizes = parts[0].sizes().vec();
  sizes[0] = rows;
  return parts[0].as_strided(sizes, parts[0].strides());
}

at::Tensor GateMul(const at::Tensor& gate, const at::Tensor& up, Activation activation) {
  if (activation == Activation::kGeluTanh) return at::gelu(gate, "tanh") * up;
  if (!HasKernel(gate)) return at::silu(gate) * up;
  // Decoding has both as parts of one product: what counts is a dense inner dimension.
  if (gate.dim() != 2 || gate.stride(1) != 1 || up.stride(1) != 1) return at::silu(gate) * up;
  const int64_t width = gate.size(1);
  const at::Tensor out = at::empty({gate.size(0), width}, gate.options());
  ByKernelType(gate.scalar_type(), [&](auto type) {
    using T = decltype(type);
    at::parallel_for(0, gate.size(0), Grain(width), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        cpu::Swiglu<T>(Data<T>(gate) + row * gate.stride(0), Data<T>(up) + row * up.stride(0),
                       width, Data<T>(out) + row * width);
      }
    });
  });
  return out;
}

at::Tensor GatherRows(const at::Tensor& x, const at::Tensor& index, const at::Tensor& inverse) {
  return GatherFunction::apply(x, index, inverse);
}

at::Tensor Checkpoint(const at::Tensor& x, const std::vector<at::Tensor>& weights,
                      CheckpointBody body) {
  std::vector<at::Tensor> inputs = {x};
  std::vector<bool> present;
  for (const at::Tensor& weight : weights) {
    present.push_back(weight.defined());
    if (weight.defined()) inputs.push_back(weight);
  }
  const CheckpointBody with_gaps = [body = std::move(body), present](
                                       const at::Tensor& in, const std::vector<at::Tensor>& given) {
    std::vector<at::Tensor> all;
    size_t next = 0;
    for (bool there : present) all.push_back(there ? given[next++] : at::Tensor());
    return body(in, all);
  };
  return CheckpointFunction::apply(at::TensorList(inputs), &with_gaps);
}

std::vector<at::Tensor> CheckpointOnDemand(const std::vector<at::Tensor>& in, OnDemand what) {
  return OnDemandFunction::apply(at::TensorList(in), &what);
}

}  // namespace assay
