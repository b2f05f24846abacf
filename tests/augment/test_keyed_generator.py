import keras_cv
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.augment import KeyedGenerator, drawing_from


def uniform(shape, **changes):
    arguments = {"seed": 3, "stream": 1, "step": 7, "rows": 8, **changes}
    return KeyedGenerator(**arguments).uniform(shape).numpy()


def test_the_same_key_draws_the_same_and_each_part_of_it_matters():
    whole = uniform((8, 2))
    np.testing.assert_array_equal(whole, uniform((8, 2)))
    for change in ({"seed": 4}, {"stream": 2}, {"step": 8}):
        assert not np.any(whole == uniform((8, 2), **change))


def test_every_draw_of_a_generator_is_a_new_one():
    generator = KeyedGenerator(0, 0, 0, rows=8)
    assert not np.any(generator.uniform((8,)).numpy() == generator.uniform((8,)).numpy())


def test_replicas_draw_their_rows_of_the_global_batch():
    whole = uniform((8, 2))
    parts = [uniform((4, 2), rows=4, replica_id=i, num_replicas=2) for i in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_replicas_draw_their_rows_of_every_copy():
    whole = uniform((24,), copies=3).reshape(3, 8)
    parts = [
        uniform((12,), rows=4, copies=3, replica_id=i, num_replicas=2).reshape(3, 4)
        for i in range(2)
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_draw_without_a_row_per_image_is_equal_on_all_replicas(shape):
    first, second = (uniform(shape, rows=4, replica_id=i, num_replicas=2) for i in range(2))
    assert first.shape == shape
    np.testing.assert_array_equal(first, second)


@pytest.mark.slow
def test_compiled_draws_equal_inline_ones():
    # TensorFlow's own float draws differ: XLA makes other floats of the same Philox integers.
    def draw(step):
        generator = KeyedGenerator(0, 0, step, rows=100)
        return (
            generator.uniform((100, 3)),
            generator.uniform((100,), 0, 10, tf.int32),
            generator.normal((100,)),
        )

    step = tf.constant(2**40, tf.int64)
    inline, compiled = draw(step), tf.function(draw, jit_compile=True)(step)
    np.testing.assert_array_equal(inline[0], compiled[0])
    np.testing.assert_array_equal(inline[1], compiled[1])
    np.testing.assert_allclose(inline[2], compiled[2], atol=1e-5)


def test_draws_work_with_a_batch_size_known_at_run_time_only():
    @tf.function(input_signature=[tf.TensorSpec((None, 2))])
    def draw(images):
        return KeyedGenerator(3, 1, 7, rows=tf.shape(images)[0]).uniform((tf.shape(images)[0], 2))

    np.testing.assert_array_equal(draw(tf.zeros((8, 2))), uniform((8, 2)))


def test_uniform_and_normal_have_their_distributions():
    generator = KeyedGenerator(0, 0, 0, rows=20000)
    draws = generator.uniform((20000,), -2.0, 4.0).numpy()
    assert draws.min() >= -2
    assert draws.max() < 4
    counts, _ = np.histogram(draws, bins=10, range=(-2, 4))
    np.testing.assert_allclose(counts, 2000, atol=200)
    draws = generator.normal((20000,), 3.0, 2.0).numpy()
    np.testing.assert_allclose([draws.mean(), draws.std()], [3.0, 2.0], atol=0.05)
    integers = generator.uniform((20000,), 5, 8, tf.int64).numpy()
    np.testing.assert_array_equal(np.unique(integers), [5, 6, 7])


def test_a_layer_draws_from_the_generator_within_the_context_only():
    layer = keras_cv.layers.RandomFlip()
    own = layer._random_generator
    images = tf.random.stateless_uniform((8, 4, 4, 3), (0, 0))
    with drawing_from(layer, KeyedGenerator(0, 0, 0, rows=8)):
        first = layer(images).numpy()
    with drawing_from(layer, KeyedGenerator(0, 0, 0, rows=8)):
        np.testing.assert_array_equal(layer(images), first)
    assert layer._random_generator is own


def test_the_layers_generator_is_put_back_after_an_error():
    layer = keras_cv.layers.RandomFlip()
    own = layer._random_generator
    with pytest.raises(KeyError), drawing_from(layer, KeyedGenerator(0, 0, 0, rows=8)):
        raise KeyError
    assert layer._random_generator is own


def test_layers_that_map_over_images_keep_their_own_generator():
    # With a keyed generator every image of the batch would get one and the same draw.
    layer = keras_cv.layers.RandomGaussianBlur(3, (0.5, 1.0))
    own = layer._random_generator
    with drawing_from(layer, KeyedGenerator(0, 0, 0, rows=8)):
        assert layer._random_generator is own
