
2.0
	FluxgaugeunversionedBŸEÐ
I/apis/custom.metrics.k8s.io/v1beta1/namespaces/{namespace}/metrics/{name}‚ÿ
customMetrics_v1beta1Reads the sum of a metric over all MiniClusters of a namespace. It is never a sum of some of them: where one value is unknown, so is the sum.*/readCustomMetricsV1beta1MetricValueForNamespace2application/json2#application/vnd.kubernetes.protobuf2application/yamlBH
FD"Bpath"The namespace of the MiniClusters."	namespace*string˜BG
EC"Apath&The name of the metric: node_up_count."name*string˜B¹
¶³°query†Picks a series of the metric by its labels: queue=batch is that of one queue. Without it the value is that of the whole Flux instance."metricLabelSelector2string Jû
_
200X
V
OKP
N
L#/definitions/io.k8s.metrics.pkg.apis.custom_metrics.v1beta1.MetricValueList
;
4004
2
0A Status: a selector or the path cannot be read.
[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.Rhttpsj
x-kubernetes-actionget
ji
x-kubernetes-group-version-kindFDgroup: custom.metrics.k8s.io
kind: MetricValueList
version: v1beta1
œ
Z/apis/custom.metrics.k8s.io/v1beta1/namespaces/{namespace}/{resource}/{name}/{subresource}½
º

customMetrics_v1beta1aReads the newest value of a metric of one object in a namespace, or of all that a selector picks.*-listCustomMetricsV1beta1NamespacedMetricValue2application/json2#application/vnd.kubernetes.protobuf2application/yamlBH
FD"Bpath"The namespace of the MiniClusters."	namespace*string˜B•
’"ŒpathmThe plural of the kind with its group, such as miniclusters.flux-framework.org, jobs.batch, services or pods."resource*string˜B_
]["Ypath>The name of the object, or * for all that labelSelector picks."name*string˜BY
WU"Spath1The name of the metric: node_up_count, broker_up."subresource*string˜B\
ZXVquery3Picks objects by their labels, where the name is *."labelSelector2string B¹
¶³°query†Picks a series of the metric by its labels: queue=batch is that of one queue. Without it the value is that of the whole Flux instance."metricLabelSelector2string Jû
_
200X
V
OKP
N
L#/definitions/io.k8s.metrics.pkg.apis.custom_metrics.v1beta1.MetricValueList
;
4004
2
0A Status: a selector or the path cannot be read.
[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.Rhttpsj
x-kubernetes-actionlist
ji
x-kubernetes-group-version-kindFDgroup: custom.metrics.k8s.io
kind: MetricValueList
version: v1beta1
‹

C/apis/custom.metrics.k8s.io/v1beta1/{resource}/{name}/{subresource}Ã	À	
customMetrics_v1beta1UReads a metric of objects that live in no namespace. No such object has metrics here.*#listCustomMetricsV1beta1MetricValue2application/json2#application/vnd.kubernetes.protobuf2application/yamlB•
’"ŒpathmThe plural of the kind with its group, such as miniclusters.flux-framework.org, jobs.batch, services or pods."resource*string˜B_
]["Ypath>The name of the object, or * for all that labelSelector picks."name*string˜B?
=;"9pathThe name of the metric."subresource*string˜B\
ZXVquery3Picks objects by their labels, where the name is *."labelSelector2string B¹
¶³°query†Picks a series of the metric by its labels: queue=batch is that of one queue. Without it the value is that of the whole Flux instance."metricLabelSelector2string Jû
_
200X
V
OKP
N
L#/definitions/io.k8s.metrics.pkg.apis.custom_metrics.v1beta1.MetricValueList
;
4004
2
0A Status: a selector or the path cannot be read.
[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.Rhttpsj
x-kubernetes-actionlist
ji
x-kubernetes-group-version-kindFDgroup: custom.metrics.k8s.io
kind: MetricValueList
version: v1beta1
Ð
I/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/metrics/{name}‚ÿ
customMetrics_v1beta2Reads the sum of a metric over all MiniClusters of a namespace. It is never a sum of some of them: where one value is unknown, so is the sum.*/readCustomMetricsV1beta2MetricValueForNamespace2application/json2#application/vnd.kubernetes.protobuf2application/yamlBH
FD"Bpath"The namespace of the MiniClusters."	namespace*string˜BG
EC"Apath&The name of the metric: node_up_count."name*string˜B¹
¶³°query†Picks a series of the metric by its labels: queue=batch is that of one queue. Without it the value is that of the whole Flux instance."metricLabelSelector2string Jû
_
200X
V
OKP
N
L#/definitions/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList
;
4004
2
0A Status: a selector or the path cannot be read.
[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.Rhttpsj
x-kubernetes-actionget
ji
x-kubernetes-group-version-kindFDgroup: custom.metrics.k8s.io
kind: MetricValueList
version: v1beta2
œ
Z/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/{resource}/{name}/{subresource}½
º

customMetrics_v1beta2aReads the newest value of a metric of one object in a namespace, or of all that a selector picks.*-listCustomMetricsV1beta2NamespacedMetricValue2application/json2#application/vnd.kubernetes.protobuf2application/yamlBH
FD"Bpath"The namespace of the MiniClusters."	namespace*string˜B•
’"ŒpathmThe plural of the kind with its group, such as miniclusters.flux-framework.org, jobs.batch, services or pods."resource*string˜B_
]["Ypath>The name of the object, or * for all that labelSelector picks."name*string˜BY
WU"Spath1The name of the metric: node_up_count, broker_up."subresource*string˜B\
ZXVquery3Picks objects by their labels, where the name is *."labelSelector2string B¹
¶³°query†Picks a series of the metric by its labels: queue=batch is that of one queue. Without it the value is that of the whole Flux instance."metricLabelSelector2string Jû
_
200X
V
OKP
N
L#/definitions/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList
;
4004
2
0A Status: a selector or the path cannot be read.
[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.Rhttpsj
x-kubernetes-actionlist
ji
x-kubernetes-group-version-kindFDgroup: custom.metrics.k8s.io
kind: MetricValueList
version: v1beta2
‹

C/apis/custom.metrics.k8s.io/v1beta2/{resource}/{name}/{subresource}Ã	À	
customMetrics_v1beta2UReads a metric of objects that live in no namespace. No such object has metrics here.*#listCustomMetricsV1beta2MetricValue2application/json2#application/vnd.kubernetes.protobuf2application/yamlB•
’"ŒpathmThe plural of the kind with its group, such as miniclusters.flux-framework.org, jobs.batch, services or pods."resource*string˜B_
]["Ypath>The name of the object, or * for all that labelSelector picks."name*string˜B?
=;"9pathThe name of the metric."subresource*string˜B\
ZXVquery3Picks objects by their labels, where the name is *."labelSelector2string B¹
¶³°query†Picks a series of the metric by its labels: queue=batch is that of one queue. Without it the value is that of the whole Flux instance."metricLabelSelector2string Jû
_
200X
V
OKP
N
L#/definitions/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList
;
4004
2
0A Status: a selector or the path cannot be read.
[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.Rhttpsj
x-kubernetes-actionlist
ji
x-kubernetes-group-version-kindFDgroup: custom.metrics.k8s.io
kind: MetricValueList
version: v1beta2
œ	
G/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{resource}ÐÍ
externalMetrics_v1beta1’Reads the newest values of a metric in a namespace, one for each MiniCluster. Where one value is unknown there is none: an answer is never a part.*-listExternalMetricsV1beta1ExternalMetricValue2application/json2#application/vnd.kubernetes.protobuf2application/yamlBH
FD"Bpath"The namespace of the MiniClusters."	namespace*string˜B]
[Y"Wpath8The name of the metric: node_up_count, job_failed_count."resource*string˜B×
ÔÑÎqueryªPicks series by their labels: minicluster=NAME is that of one MiniCluster, queue=batch are those of a queue. Without a queue the values are those of whole Flux instances."labelSelector2string J…
i
200b
`
OKZ
X
V#/definitions/io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList
;
4004
2
0A Status: a selector or the path cannot be read.
[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.Rhttpsj
x-kubernetes-actionlist
js
x-kubernetes-group-version-kindPNgroup: external.metrics.k8s.io
kind: ExternalMetricValueList
version: v1beta1
JÍ;
ê
"io.k8s.api.core.v1.ObjectReferenceÃ"Names an object of the cluster.²
objectÊî
O

apiVersionA"4The group and version of the kind, such as batch/v1.²
string
C
	fieldPath6")A part of the object. Not set by metrics.²
string
3
kind+"The kind, such as MiniCluster.²
string
,
name$"The name of the object.²
string
J
	namespace="0The namespace of the object, if it lives in one.²
string
L
resourceVersion9",A version of the object. Not set by metrics.²
string
Y
uidR"ETells the object from later ones of the same name, where it is known.²
stringú"
x-kubernetes-map-type	atomic

Ë
-io.k8s.apimachinery.pkg.api.resource.Quantity™"‹A number with a suffix: 1500m is 1.5, 2k is 2000, 1Ki is 1024. Written as text with the shortest digits, and never finer than a thousandth.²
string
Õ
2io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorž"HPicks what meets all of its requirements; an empty one picks everything.²
objectÊ 
Á
matchExpressions¬"(Requirements on labels. All must be met.²
arrayºO
M
K#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirementú#
x-kubernetes-list-type	atomic

Z
matchLabelsK".Labels with the one value that each must have.ª
²
string²
objectú"
x-kubernetes-map-type	atomic

û
=io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement¹"$What the value of one label must be.škeyšoperator²
objectÊó
*
key#"The name of the label.²
string
;
operator/""In, NotIn, Exists or DoesNotExist.²
string
‡
values}";The values of In and NotIn. Empty with the other operators.²
arrayº
²
stringú#
x-kubernetes-list-type	atomic

’
-io.k8s.apimachinery.pkg.apis.meta.v1.ListMetaà"What lists say of themselves.²
objectÊ²
H
continue<"/Where the next page begins. Not set by metrics.²
string
`
remainingItemCountJint64"5Items that follow on later pages. Not set by metrics.²	
integer
L
resourceVersion9",The version of the list. Not set by metrics.²
string
6
selfLink*"No longer used by Kubernetes.²
string
|
)io.k8s.apimachinery.pkg.apis.meta.v1.TimeO	date-time"7A moment as RFC 3339 has it, in UTC with whole seconds.²
string
­
:io.k8s.metrics.pkg.apis.custom_metrics.v1beta1.MetricValueî"$One value of a metric of one object.šdescribedObjectš
metricNameš	timestampšvaluešselector²
objectÊû
X

apiVersionJ"=Not set inside a list: the list says it for all of its items.²
string
`
describedObjectM
0#/definitions/io.k8s.api.core.v1.ObjectReference"What the value describes.
R
kindJ"=Not set inside a list: the list says it for all of its items.²
string
2

metricName$"The name of the metric.²
string
–
selector‰
@#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"EThe metricLabelSelector of the request, or null where there was none.
Œ
	timestamp
7#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Time"DWhen the value was known to be right, which may be some seconds ago.
‚
valuey
;#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity":The value, in the unit of the metric: a count, or seconds.
‡
window}int64"hSeconds before the timestamp that the value is an average over. Absent: the value is that of one moment.²	
integer
«
>io.k8s.metrics.pkg.apis.custom_metrics.v1beta1.MetricValueListè"5The newest values of one metric, one for each object.šitems²
objectÊ¨
N

apiVersion@"3The group and version in which the list is spelled.²
string
¯
items¥"JThe values. A metric that is not known now is an error, not an empty list.²
arrayºL
J
H#/definitions/io.k8s.metrics.pkg.apis.custom_metrics.v1beta1.MetricValue
*
kind""The kind of the list.²
string
x
metadatal
;#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"-Empty: metrics have no versions and no pages.úo
x-kubernetes-group-version-kindLJ- group: custom.metrics.k8s.io
  kind: MetricValueList
  version: v1beta1

Ð
?io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricIdentifierŒ""A metric, and which of its series.šnamešselector²
objectÊÇ
,
name$"The name of the metric.²
string
–
selector‰
@#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"EThe metricLabelSelector of the request, or null where there was none.
Ü
:io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValue"$One value of a metric of one object.šdescribedObjectšmetricš	timestampšvalue²
objectÊ¹
X

apiVersionJ"=Not set inside a list: the list says it for all of its items.²
string
`
describedObjectM
0#/definitions/io.k8s.api.core.v1.ObjectReference"What the value describes.
R
kindJ"=Not set inside a list: the list says it for all of its items.²
string

metricw
M#/definitions/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricIdentifier"&Which metric, and which of its series.
Œ
	timestamp
7#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Time"DWhen the value was known to be right, which may be some seconds ago.
‚
valuey
;#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity":The value, in the unit of the metric: a count, or seconds.
Ž
windowSeconds}int64"hSeconds before the timestamp that the value is an average over. Absent: the value is that of one moment.²	
integer
«
>io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueListè"5The newest values of one metric, one for each object.šitems²
objectÊ¨
N

apiVersion@"3The group and version in which the list is spelled.²
string
¯
items¥"JThe values. A metric that is not known now is an error, not an empty list.²
arrayºL
J
H#/definitions/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValue
*
kind""The kind of the list.²
string
x
metadatal
;#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"-Empty: metrics have no versions and no pages.úo
x-kubernetes-group-version-kindLJ- group: custom.metrics.k8s.io
  kind: MetricValueList
  version: v1beta2

œ
Dio.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueÓ"$One value of one series of a metric.š
metricNamešmetricLabelsš	timestampšvalue²
objectÊî
X

apiVersionJ"=Not set inside a list: the list says it for all of its items.²
string
R
kindJ"=Not set inside a list: the list says it for all of its items.²
string
l
metricLabels\"?The labels that tell this series from the others of the metric.ª
²
string²
object
2

metricName$"The name of the metric.²
string
Œ
	timestamp
7#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Time"DWhen the value was known to be right, which may be some seconds ago.
‚
valuey
;#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity":The value, in the unit of the metric: a count, or seconds.
‡
window}int64"hSeconds before the timestamp that the value is an average over. Absent: the value is that of one moment.²	
integer
É
Hio.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueListü"5The newest values of one metric, one for each series.šitems²
objectÊ²
N

apiVersion@"3The group and version in which the list is spelled.²
string
¹
items¯"JThe values. A metric that is not known now is an error, not an empty list.²
arrayºV
T
R#/definitions/io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValue
*
kind""The kind of the list.²
string
x
metadatal
;#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"-Empty: metrics have no versions and no pages.úy
x-kubernetes-group-version-kindVT- group: external.metrics.k8s.io
  kind: ExternalMetricValueList
  version: v1beta1
