{{ shape_from_raw('contracts', source('raw', 'contracts')) }}
